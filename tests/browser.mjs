// Each page of the dashboard in a real browser, at phone and desktop width, with and without JavaScript: no violation of
// axe-core's rules, no message of the policy, no dialog, nothing wider than the screen; keyboard and live parts work.
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";

const [address, password, folder, chromium] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(folder), "package.json"));
const playwright = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const shots = path.join(folder, "gambar");
mkdirSync(shots, { recursive: true });

const WIDTHS = { telepon: { width: 375, height: 740 }, meja: { width: 1280, height: 900 } };
// Account and the pages that are looked at under it.
const TOURS = {
  dina: ["/", "/?puskesmas=Puskesmas%20Utara", "/kerja", "/kerja?siapa=kader", "/kunjungan/1", "/kunjungan/3", "/pemetaan",
    "/antrean", "/laporan", "/keputusan", "/selisih", "/selisih?umur=3", "/orang", "/orang/1", "/orang/2", "/segel?sampai=2026-11-30"],
  audit: ["/selisih", "/laporan", "/segel?sampai=2026-11-30"],
  adm: ["/akun", "/audit"],
  kader: ["/", "/kerja", "/selisih", "/orang/1", "/laporan"],
};
const problems = [];
const bad = (where, what) => problems.push(`${where}: ${what}`);

async function look(page, where, js) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 1) bad(where, `${wide} pixels wider than the screen`);
  await page.screenshot({ path: path.join(shots, `${where.replace(/[^a-z0-9]+/gi, "-")}.png`), fullPage: true });
  if (!js) return;
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  for (const one of found.violations) {
    bad(where, `${one.id} (${one.impact}): ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
  }
}

async function enter(page, name) {
  await page.goto(`${address}/masuk`);
  await page.fill("#nama", name);
  await page.fill("#sandi", password);
  await page.click("main button");
  await page.waitForLoadState();
  if (new URL(page.url()).pathname !== "/") bad(name, `could not log in: ${page.url()}`);
}

async function tour(browser, size, js) {
  const label = `${size} ${js ? "js" : "tanpa-js"}`;
  for (const [name, pages] of Object.entries(TOURS)) {
    const context = await browser.newContext({ viewport: WIDTHS[size], javaScriptEnabled: js, locale: "id-ID" });
    const page = await context.newPage();
    page.on("dialog", (dialog) => { bad(label, `a dialog: ${dialog.message()}`); dialog.dismiss(); });
    page.on("pageerror", (error) => bad(label, `an error: ${error.message}`));
    page.on("console", (message) => { if (message.type() === "error") bad(label, message.text()); });
    // The next page may be asked for while the icon of the last one is still on its way.
    const isCutShort = (request) => request.failure().errorText === "net::ERR_ABORTED" && request.url().includes("/aset/tanda");
    page.on("requestfailed", (request) => { if (!isCutShort(request)) bad(label, `failed: ${request.url()} ${request.failure().errorText}`); });
    page.on("request", (request) => { if (!request.url().startsWith(address)) bad(label, `asked elsewhere: ${request.url()}`); });
    if (name === "dina") {
      for (const path of ["/masuk", "/masuk/kode"]) { await page.goto(address + path); await look(page, `${label} ${path}`, js); }
    }
    await enter(page, name);
    for (const path of pages) {
      const answer = await page.goto(address + path);
      if (answer.status() !== 200) bad(`${label} ${name} ${path}`, `status ${answer.status()}`);
      await look(page, `${label} ${name} ${path}`, js);
    }
    await context.close();
  }
}

// The keyboard alone: the skip link is first, leads to the content, and every stop shows where it is.
async function keyboard(browser) {
  const page = await (await browser.newContext({ viewport: WIDTHS.meja })).newPage();
  await enter(page, "dina");
  await page.goto(`${address}/kerja`);
  await page.keyboard.press("Tab");
  if (await page.evaluate(() => document.activeElement.className) !== "lompat") bad("keyboard", "the skip link is not first");
  await page.keyboard.press("Enter");
  if (await page.evaluate(() => document.activeElement.id) !== "isi") bad("keyboard", "the skip link does not lead to the content");
  for (let stop = 0; stop < 12; stop++) {
    await page.keyboard.press("Tab");
    const shown = await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement);
      return document.activeElement === document.body || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2);
    });
    if (!shown) bad("keyboard", `stop ${stop} does not show that it has the focus: ${await page.evaluate(() => document.activeElement.outerHTML.slice(0, 80))}`);
  }
  await page.context().close();
}

// A decision without JavaScript, its undoing with it; and live parts that move without reloading.
async function decide(browser, js, button, state) {
  const context = await browser.newContext({ viewport: WIDTHS.telepon, javaScriptEnabled: js });
  const page = await context.newPage();
  await enter(page, "dina");
  await page.goto(`${address}/kunjungan/3`);
  const form = page.locator("form", { hasText: button });
  await form.locator("input[name=alasan]").fill("dicoba di peramban");
  await form.locator("button").click();
  await page.waitForLoadState();
  if (!(await page.locator("main .tanda").first().textContent()).includes(state)) bad(`decide ${button}`, "the state is another");
  await context.close();
}

// Names for a reason, whom a row is about and taking that back, with or without JavaScript; then a discrepancy.
async function persons(browser, size, js) {
  const label = `${size} ${js ? "js" : "tanpa-js"}`;
  const context = await browser.newContext({ viewport: WIDTHS[size], javaScriptEnabled: js });
  const page = await context.newPage();
  const send = async (form) => { await form.locator("input[name=alasan]").fill("dicoba di peramban"); await form.locator("button").click(); await page.waitForLoadState(); };
  await enter(page, "dina");
  await page.goto(`${address}/orang/1`);
  await send(page.locator("form[action='/orang/1/nama']"));
  if (!(await page.locator("main").textContent()).includes("Kenari")) bad(`${label} names`, "nobody is named");
  await look(page, `${label} dina orang 1 nama`, js);
  await page.check("input[value='1/1']");
  await send(page.locator("form[action='/keputusan']"));
  if (await page.locator("[role=status].pesan").count() !== 1) bad(`${label} answer`, "nothing says that it was kept");
  await page.goto(`${address}/orang/1`);
  await look(page, `${label} dina orang 1 dijawab`, js);
  await send(page.locator("form[action='/keputusan']"));
  await page.goto(`${address}/selisih`);
  await page.locator("details summary").first().click();
  await look(page, `${label} dina selisih terbuka`, js);
  await send(page.locator("details[open] form").first());
  if (await page.locator("[role=status].pesan").count() !== 1) bad(`${label} waiver`, "nothing says that it was kept");
  await context.close();
}

async function live(browser) {
  const context = await browser.newContext({ viewport: WIDTHS.meja });
  const page = await context.newPage();
  await page.clock.install();
  await enter(page, "dina");
  const answer = page.waitForResponse((response) => response.url() === `${address}/` && response.request().resourceType() === "fetch");
  await page.clock.fastForward(21_000);
  await answer;
  await page.waitForSelector("[data-diperbarui]:not([hidden])", { timeout: 5_000 });
  if (await page.locator("#hari").count() !== 1) bad("live", "the live part is gone");
  await context.close();
}

const browser = await playwright.chromium.launch({ executablePath: chromium, args: ["--no-sandbox"] });
try {
  for (const size of Object.keys(WIDTHS)) for (const js of [true, false]) await tour(browser, size, js);
  await keyboard(browser);
  await decide(browser, false, "Jangan dikirim", "diputuskan tidak dikirim");
  await decide(browser, true, "Coba kirim lagi", "dalam antrean kirim");
  await persons(browser, "telepon", false);
  await persons(browser, "meja", true);
  await live(browser);
} finally {
  await browser.close();
}
for (const problem of new Set(problems)) console.log(problem);
console.log(`${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
