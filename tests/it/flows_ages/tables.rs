//! The three flows and their tables.

use super::*;

const TEEN: &str = r#"
sasaran:
  nik: "1001015205110001"
  status_nik: asli
  nama: Remaja Putri Contoh
  jenis_kelamin: P
  tanggal_lahir: 2011-05-12
  posyandu: PSY-01
kunjungan:
  kelompok_sasaran: usek_remaja
records:
  - kunjungan_remaja:
      tanggal: 2026-11-18
      umur_tahun: 15
      bb: 48.5
      tb: 156.2
      sistole: 142
      diastole: 88
      hb: 11.2
      gejala_anemia: tidak_ada
      disabilitas_mental: cemas
      disabilitas_sensorik: tidak_ada
      disabilitas_fisik: lumpuh_layu
      disabilitas_intelektual: tidak_ada
      merokok_pernah: true
      rokok_per_hari: 2
      merokok_lama: 1
      perokok_pasif: true
      visus_kanan_jarak: 6
      visus_kanan_huruf: 6
      visus_kiri_jarak: 6
      visus_kiri_huruf: 12
      buta_warna: normal
      telinga_kanan: normal
      telinga_kiri: gangguan
      telinga_luar_kanan: normal
      telinga_luar_kiri: normal
      gigi: normal
      edukasi_rokok: true
      rujuk_ke: puskesmas
  - skrining:
      tanggal: 2026-11-18
      instrumen: sdq
      sdq_emosional: 7
      sdq_perilaku: 3
"#;

#[test]
fn the_teen_visit_of_a_posyandu() {
    let mut flow = Flow::of(TEEN);
    flow.visit("DIAGNOSIS_REMAJA-0", "Z00.3", &[]);
    flow.quantity("BERAT_BADAN-1", "vital-signs", (LN, "29463-7"), "48.5", "kg", &[]);
    flow.quantity("TINGGI_BADAN-1", "vital-signs", (LN, "8302-2"), "156.2", "cm", &[]);
    flow.quantity("SISTOLE-1", "vital-signs", (LN, "8480-6"), "142", "mm[Hg]", &[]);
    flow.quantity("DIASTOLE-1", "vital-signs", (LN, "8462-4"), "88", "mm[Hg]", &[]);
    let class = [
        ("valueRatio.numerator.value", "142"),
        ("valueRatio.denominator.value", "88"),
        ("interpretation[0].coding[0].system", SCT),
        ("interpretation[0].coding[0].code", "827068008"),
        ("referenceRange[0].text", "Tekanan Darah Normal: <120/80 mmHg"),
        ("referenceRange[1].text", "Tekanan Darah Meningkat: 120/<80 129/< 80 mmHg"),
        ("referenceRange[2].text", "Hipertensi Tingkat 1: 130/80 138/89 mmHg"),
        ("referenceRange[3].text", "Hipertensi Tingkat 2: ≥140/90 mmHg"),
    ];
    flow.observation("KELAS_TEKANAN_DARAH-1", "vital-signs", (SCT, "268607006"), &[&PRESSURE[..], &class].concat());
    flow.concept("GEJALA_ANEMIA-1", "exam", (CT, "OC000155"), "860635002", None);
    flow.concept("DISABILITAS_MENTAL-1", "survey", (SCT, "268391007"), "48694002", None);
    flow.concept("DISABILITAS_SENSORIK-1", "survey", (SCT, "406135009"), "473137000", None);
    flow.concept("DISABILITAS_FISIK-1", "survey", (SCT, "165220001"), "698293005", None);
    flow.concept("DISABILITAS_INTELEKTUAL-1", "survey", (SCT, "110359009"), "473137000", None);
    flow.questionnaire(
        "MEROKOK-1",
        "https://fhir.kemkes.go.id/Questionnaire/Q0012",
        &[
            ("item[0].linkId", "1"),
            ("item[0].answer[0].valueBoolean", "true"),
            ("item[1].linkId", "2"),
            ("item[1].answer[0].valueInteger", "2"),
            ("item[2].linkId", "3"),
            ("item[2].answer[0].valueQuantity.value", "1"),
            ("item[2].answer[0].valueQuantity.system", UCUM),
            ("item[2].answer[0].valueQuantity.code", "{a}"),
            ("item[3].linkId", "4"),
            ("item[3].answer[0].valueBoolean", "true"),
        ],
    );
    let reason = [("reasonCode[0].coding[0].system", ICD10), ("reasonCode[0].coding[0].code", "Z00.3")];
    flow.procedure("EDUKASI_ROKOK-1", "409073007", (SCT, "225324006"), &reason);
    flow.referral(&[&reason[..], &[("note[0].text", "Dirujuk ke puskesmas")]].concat());
    school_section(&mut flow);
    flow.end();
}

/// What the school section of O16 asks and a posyandu may examine as well.
#[track_caller]
fn school_section(flow: &mut Flow) {
    flow.procedure("TINDAKAN_HB-1", "171201007", (CT, "PC000015"), &[]);
    let mut blood = ranges(
        "g/dL",
        &[("12", ""), ("11", "11.9"), ("8", "10.9"), ("", "7.9")],
        &["No Anemia Present", "Anemia ringan", "Anemia sedang", "Anemia berat"],
    );
    blood.extend(interpretation(CT, "OI000032"));
    flow.quantity("HB-1", "laboratory", (LN, "30352-9"), "11.2", "g/dL", &blood);
    let eye = |side: &'static str, letters: &'static str| {
        vec![
            ("valueRatio.numerator.value", "6"),
            ("valueRatio.denominator.value", letters),
            ("referenceRange[0].text", "6/9 - 6/6 - Normal"),
            ("referenceRange[1].text", "6/18 - <6/9 - Gangguan penglihatan ringan"),
            ("referenceRange[2].text", "6/60 - <6/18 - Gangguan penglihatan sedang (Kelainan Refraksi)"),
            ("referenceRange[3].text", "3/60 - <6/60 - Gangguan penglihatan berat"),
            ("referenceRange[4].text", side),
        ]
    };
    let mut right = eye("<3/60 - Buta mata kanan", "6");
    right.extend([("interpretation[0].coding[0].system", SCT), ("interpretation[0].coding[0].code", "45089002")]);
    flow.observation("VISUS_KANAN-1", "exam", (LN, "79882-7"), &right);
    flow.observation("VISUS_KIRI-1", "exam", (LN, "79883-5"), &eye("<3/60 - Buta mata kiri", "12"));
    flow.concept("BUTA_WARNA-1", "exam", (LN, "79732-4"), "45089002", None);
    flow.concept("TELINGA_KANAN-1", "exam", (SCT, "247301006"), "275727004", Some("25577004"));
    flow.concept("TELINGA_KIRI-1", "exam", (SCT, "247301006"), "300221005", Some("89644007"));
    flow.concept("TELINGA_LUAR_KANAN-1", "exam", (SCT, "225670007"), "300196000", Some("69838001"));
    flow.concept("TELINGA_LUAR_KIRI-1", "exam", (SCT, "225670007"), "300196000", Some("49521004"));
    flow.concept("GIGI-1", "exam", (LN, "32478-0"), "162005007", None);
    let classes = ["Normal", "Borderline", "Abnormal"];
    let mut emotional = ranges("{score}", &[("0", "5"), ("6", "6"), ("7", "10")], &classes);
    emotional.extend(interpretation(OINT, "A"));
    flow.quantity("SDQ_EMOSIONAL-2", "survey", (SCT, "386816005"), "7", "{score}", &emotional);
    let mut conduct = ranges("{score}", &[("0", "3"), ("4", "4"), ("5", "10")], &classes);
    conduct.extend(interpretation(OINT, "N"));
    flow.quantity("SDQ_PERILAKU-2", "survey", (SCT, "277843001"), "3", "{score}", &conduct);
}

const ADULT: &str = r#"
sasaran:
  nik: "1001014907880004"
  status_nik: asli
  nama: Ibu Contoh
  jenis_kelamin: P
  tanggal_lahir: 1988-07-09
  posyandu: PSY-01
kunjungan:
  kelompok_sasaran: dewasa
records:
  - kunjungan_dewasa:
      tanggal: 2026-11-18
      umur_tahun: 38
      bb: 48
      tb: 165
      imt: 17.6
      lingkar_perut: 74
      sistole: 165
      diastole: 102
      gula_darah_sewaktu: 150
      telinga_kanan: normal
      telinga_kiri: gangguan
"#;

#[test]
fn the_screening_of_an_adult() {
    let mut flow = Flow::of(ADULT);
    flow.visit("DIAGNOSIS_DEWASA-0", "Z13.6", &[]);
    flow.quantity("BERAT_BADAN-1", "vital-signs", (LN, "29463-7"), "48", "kg", &[]);
    flow.quantity("TINGGI_BADAN-1", "vital-signs", (LN, "8302-2"), "165", "cm", &[]);
    let mut index = ranges(
        "kg/m2",
        &[("", "16.9"), ("17", "18.4"), ("18.5", "25"), ("25.1", "27"), ("27.1", "")],
        &["Sangat Kurus", "Kurus", "Normal", "Gemuk (Overweight)", "Obese"],
    );
    index.extend(interpretation(SCT, "248342006"));
    flow.quantity("IMT-1", "exam", (LN, "39156-5"), "17.6", "kg/m2", &index);
    let mut waist = ranges("cm", &[("", "79.9"), ("80", "")], &["Normal", "Central Obesity"]);
    waist.extend(interpretation(OINT, "N"));
    flow.quantity("LINGKAR_PERUT-1", "exam", (SCT, "276361009"), "74", "cm", &waist);
    flow.quantity("SISTOLE-1", "vital-signs", (LN, "8480-6"), "165", "mm[Hg]", &[]);
    flow.quantity("DIASTOLE-1", "vital-signs", (LN, "8462-4"), "102", "mm[Hg]", &[]);
    let class = [
        ("valueRatio.numerator.value", "165"),
        ("valueRatio.denominator.value", "102"),
        ("referenceRange[0].text", "Tekanan Darah Optimal: < 120/80 mmHg"),
        ("referenceRange[1].text", "Tekanan Darah Normal: 120/80 s.d. 129/84 mmHg"),
        ("referenceRange[2].text", "Tekanan Darah Normal Tinggi: 130/85 s.d. 139/89 mmHg"),
        ("referenceRange[3].text", "Hipertensi Derajat 1: 140/90 s.d. 159/99 mmHg"),
        ("referenceRange[4].text", "Hipertensi Derajat 2: 160/100 s.d. 179/109 mmHg"),
        ("referenceRange[5].text", "Hipertensi Derajat 3: >= 180/110 mmHg"),
        ("referenceRange[6].text", "Hipertensi Sistolik Terisolasi: Sistolik >= 140 mmHg, Diastolik <= 90 mmHg"),
    ];
    let class = [&PRESSURE[..], &class, &interpretation(SCT, "827068008")].concat();
    flow.observation("KELAS_TEKANAN_DARAH-1", "vital-signs", (SCT, "268607006"), &class);
    let classes = ["Normal", "Pre-diabetes", "Diabetes"];
    let mut glucose = ranges("mg/dL", &[("", "139.9"), ("140", "199.9"), ("200", "")], &classes);
    glucose.extend(interpretation(SCT, "714628002"));
    flow.quantity("GULA_DARAH_SEWAKTU-1", "laboratory", (LN, "2345-7"), "150", "mg/dL", &glucose);
    flow.concept("TELINGA_KANAN-1", "exam", (SCT, "247301006"), "275727004", Some("25577004"));
    flow.concept("TELINGA_KIRI-1", "exam", (SCT, "247301006"), "300221005", Some("89644007"));
    flow.end();
}

const ELDERLY: &str = r#"
sasaran:
  nik: "1001015501570005"
  status_nik: asli
  nama: Nenek Contoh
  jenis_kelamin: P
  tanggal_lahir: 1957-01-15
  posyandu: PSY-01
switches:
  - diagnosis_lansia_z13_6
kunjungan:
  kelompok_sasaran: lansia
records:
  - kunjungan_lansia:
      tanggal: 2026-11-18
      umur_tahun: 69
      bb: 52
      tb: 150
      sistole: 138
      diastole: 82
  - skrining:
      tanggal: 2026-11-18
      instrumen: skilas
      skilas_ranah_kognitif: false
      skilas_ranah_mobilisasi: true
      skilas_ranah_malnutrisi: false
      skilas_ranah_penglihatan: true
      skilas_ranah_pendengaran: false
      skilas_ranah_depresi: false
  - skrining:
      tanggal: 2026-11-18
      instrumen: aks
      skor: 10
      aks_tingkat: S
  - skrining:
      tanggal: 2026-11-18
      instrumen: mini_cog
      skor: 2
  - skrining:
      tanggal: 2026-11-18
      instrumen: mna_sf
      skor: 9
"#;

#[test]
fn the_visit_of_an_elderly_person() {
    let mut flow = Flow::of(ELDERLY);
    let kind = [("type[0].coding[0].system", SCT), ("type[0].coding[0].code", "171313004")];
    flow.visit("DIAGNOSIS_LANSIA-0", "Z13.6", &kind);
    flow.quantity("BERAT_BADAN-1", "vital-signs", (LN, "29463-7"), "52", "kg", &[]);
    flow.quantity("TINGGI_BADAN-1", "vital-signs", (LN, "8302-2"), "150", "cm", &[]);
    flow.quantity("SISTOLE-1", "vital-signs", (LN, "8480-6"), "138", "mm[Hg]", &[]);
    flow.quantity("DIASTOLE-1", "vital-signs", (LN, "8462-4"), "82", "mm[Hg]", &[]);
    let class = flow.0.remove("KELAS_TEKANAN_DARAH-1").unwrap();
    assert_eq!(class["interpretation[0].coding[0].code"], "OI000041", "the adult table holds for the elderly too");
    let answers: Vec<(&str, &str)> = (0..6)
        .zip(["false", "true", "false", "true", "false", "false"])
        .flat_map(|(at, answer)| -> [(&str, &str); 2] {
            let link: &'static str = (at + 1).to_string().leak();
            [(format!("item[{at}].linkId").leak(), link), (format!("item[{at}].answer[0].valueBoolean").leak(), answer)]
        })
        .collect();
    flow.questionnaire("SKILAS-2", "https://fhir.kemkes.go.id/Questionnaire/Q0042", &answers);
    flow.quantity("AKS-3", "survey", (LN, "96762-0"), "10", "{score}", &interpretation(CT, "OI000046"));
    flow.quantity("MINI_COG-4", "survey", (LN, "72233-0"), "2", "{score}", &[]);
    flow.quantity("MNA_SF-5", "survey", ("http://terminology.kemkes.go.id", "TK000195"), "9", "{score}", &[]);
    flow.end();
}

fn interpretation(system: &'static str, code: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![("interpretation[0].coding[0].system", system), ("interpretation[0].coding[0].code", code)]
}

/// The cut-offs that the samples carry; an empty end is open.
fn ranges(
    unit: &'static str,
    ends: &[(&'static str, &'static str)],
    texts: &[&'static str],
) -> Vec<(&'static str, &'static str)> {
    let mut out = Vec::new();
    for (at, ((low, high), text)) in ends.iter().zip(texts).enumerate() {
        for (end, value) in [("low", *low), ("high", *high)].into_iter().filter(|(_, value)| !value.is_empty()) {
            for (member, value) in [("value", value), ("system", UCUM), ("code", unit)] {
                out.push((&*format!("referenceRange[{at}].{end}.{member}").leak(), value));
            }
        }
        out.push((&*format!("referenceRange[{at}].text").leak(), *text));
    }
    out
}
