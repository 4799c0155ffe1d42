//! Headers of every answer, and that a text of any field stays a text: a parser of HTML5 sees no tag or handler in it.

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use posyandu_gateway::ledger::account::Role;

use super::site::{HOSTILE, Site, encoded, reach};

/// Every tag of a page.
#[derive(Default)]
struct Tags(std::cell::RefCell<Vec<Tag>>);

impl TokenSink for Tags {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        if let Token::TagToken(tag) = token
            && tag.kind == TagKind::StartTag
        {
            self.0.borrow_mut().push(tag);
        }
        TokenSinkResult::Continue
    }
}

fn tags(text: &str) -> Vec<Tag> {
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from(text));
    let tokenizer = Tokenizer::new(Tags::default(), TokenizerOpts::default());
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    tokenizer.sink.0.into_inner()
}

/// A page has one script of ours, no style of its own, no handler and no image, and links within itself only.
#[track_caller]
fn is_harmless(path: &str, text: &str) {
    for tag in tags(text) {
        let name = tag.name.to_string();
        assert!(
            !["style", "img", "iframe", "object", "embed", "base", "b"].contains(&name.as_str()),
            "{path}: <{name}>"
        );
        for attribute in &tag.attrs {
            let (key, value) = (attribute.name.local.to_string(), attribute.value.to_string());
            assert!(!key.starts_with("on") && key != "style" && key != "srcdoc", "{path}: {key}={value}");
            if ["href", "src", "action"].contains(&key.as_str()) {
                assert!(
                    value.starts_with('/') && !value.starts_with("//") || value.starts_with('#'),
                    "{path}: {value}"
                );
            }
            if name == "script" && key == "src" {
                assert!(value.starts_with("/aset/hidup-"), "{path}: {value}");
            }
        }
        assert!(name != "script" || tag.attrs.iter().any(|attribute| &*attribute.name.local == "src"), "{path}");
    }
}

const ALL: [&str; 16] = [
    "/",
    "/?puskesmas=Puskesmas%20Utara",
    "/kerja",
    "/kunjungan/1",
    "/kunjungan/3",
    "/pemetaan",
    "/antrean",
    "/laporan",
    "/keputusan",
    "/selisih",
    "/orang",
    "/orang/1",
    "/segel",
    "/masuk",
    "/masuk/kode",
    "/nothing-of-ours-but/kerja/x",
];

#[tokio::test]
async fn hostile_texts_stay_texts_on_every_page() {
    let site = Site::open().await.more().await;
    let cookie = site.log_in(&format!("a{}", &HOSTILE[..30]), Role::Dinkes, reach("", "")).await;
    let admin = site.log_in("adm", Role::Admin, reach("", "")).await;
    let mut shown = 0;
    for path in ALL.iter().filter(|path| !path.starts_with("/nothing")) {
        let hostile = format!(
            "{path}{}puskesmas={1}&aturan={1}&tanggal={1}&sesudah={1}&data={1}&sudah={1}",
            if path.contains('?') { '&' } else { '?' },
            encoded(HOSTILE)
        );
        for path in [*path, hostile.as_str()] {
            let answer = site.get(path, &cookie).await;
            is_harmless(path, &answer.text);
            shown += usize::from(answer.text.contains("&lt;script&gt;"));
        }
    }
    assert!(shown > 8, "the hostile texts were shown on {shown} pages only");
    let named = site.post("/kunjungan/1/nama", &[("alasan", HOSTILE)], &cookie).await;
    is_harmless("names", &named.text);
    let named = site.post("/orang/1/nama", &[("alasan", HOSTILE)], &cookie).await;
    is_harmless("names of a question", &named.text);
    for path in ["/akun", "/audit"] {
        is_harmless(path, &site.get(path, &admin).await.text);
    }
}

#[tokio::test]
async fn every_answer_has_its_headers() {
    let site = Site::open().await;
    let cookie = site.log_in("dina", Role::Dinkes, reach("", "")).await;
    for path in ALL {
        for cookie in ["", &cookie] {
            let answer = site.get(path, cookie).await;
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
            let policy = answer.header("content-security-policy");
            assert!(
                policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
                "{path}: {policy}"
            );
            assert!(!policy.contains("unsafe") && !policy.contains('*'), "{path}: {policy}");
            assert!(
                !answer.header("referrer-policy").is_empty() && !answer.header("x-request-id").is_empty(),
                "{path}"
            );
            assert!(answer.headers.get("server").is_none(), "{path}");
        }
    }
    let page = site.get("/", &cookie).await.text;
    for tag in tags(&page).iter().filter(|tag| ["link", "script"].contains(&&*tag.name)) {
        let of = |tag: &Tag| {
            tag.attrs.iter().find(|one| ["href", "src"].contains(&&*one.name.local)).unwrap().value.to_string()
        };
        let file = site.get(&of(tag), "").await;
        assert_eq!((file.status.as_u16(), file.header("cache-control")), (200, "public, max-age=31536000, immutable"));
        let text = file.text.replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("innerHTML") && !text.contains("http:") && !text.contains("https:"));
    }
    assert_eq!(site.get("/aset/gaya-0.css", "").await.status, 404);
    let request = axum::http::Request::delete("/kerja").body(axum::body::Body::empty()).unwrap();
    assert_eq!(site.send(request).await.status, 405);
}
