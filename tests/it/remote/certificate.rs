//! Certificates that prove nothing: a call ends before a byte of it leaves, and says why (faults, row 28).

use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;

/// A day.
pub const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A server with a certificate for a name, valid from a day on for so long; counts the bytes that callers tell it.
pub async fn server(name: &str, from: Timestamp, length: Duration) -> (String, String, Arc<AtomicUsize>) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = std::time::SystemTime::from(from).into();
    params.not_after = std::time::SystemTime::from(from + length).into();
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], private).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let length = stream.read(&mut [0_u8; 4096]).await.unwrap_or(0);
            count.fetch_add(length, Ordering::SeqCst);
            let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        }
    });
    (format!("https://localhost:{port}"), certificate.pem(), told)
}

/// A call to it by somebody who trusts this certificate, or nothing but the public ones.
async fn call(address: &str, trusted: Option<&str>) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tls.pem");
    if let Some(pem) = trusted {
        std::fs::write(&file, pem).unwrap();
    }
    let options = Options { extra_ca: trusted.map(|_| file), ..options(address) };
    let clock = clock();
    let remote = Remote::new(options, clock.clone()).unwrap();
    let end = clock.now() + Duration::from_secs(3_600);
    remote.remember_in(Shelf::with(Token::new(Personal::new("kept".into()), end, clock.now()))).await;
    remote.transaction(bundle()).await
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_ends_the_call_before_a_byte_of_it_leaves() {
    // The TLS library looks at the machine's clock.
    let now = Clock::System.now();
    let valid = (now - DAY, DAY * 2);
    let (address, pem, told) = server("localhost", valid.0, valid.1).await;
    let trusted = call(&address, Some(&pem)).await;
    assert!(told.load(Ordering::SeqCst) > 0 && !trusted.excerpt.contains("certificate"), "{trusted:?}");

    let (_, another, _) = server("localhost", valid.0, valid.1).await;
    let cases = [
        ("localhost", valid, None, "UnknownIssuer"),
        ("localhost", valid, Some(another), "certificate"),
        ("localhost", (now - DAY * 3, DAY), Some(String::new()), "expired"),
        ("localhost", (now + DAY, DAY), Some(String::new()), "not valid yet"),
        ("satusehat.example", valid, Some(String::new()), "not valid for name"),
    ];
    for (name, (from, length), trusted, word) in cases {
        let (address, pem, told) = server(name, from, length).await;
        // An empty one stands for the server's own.
        let trusted = trusted.map(|other| if other.is_empty() { pem } else { other });
        let answer = call(&address, trusted.as_deref()).await;
        assert_eq!(answer.class, Class::Outage { may_have_executed: false }, "{name}: {answer:?}");
        assert!(answer.excerpt.contains(word), "{word}: {}", answer.excerpt);
        assert_eq!(told.load(Ordering::SeqCst), 0, "{word}: something left");
        quiet(&format!("{answer:?}"));
    }
}
