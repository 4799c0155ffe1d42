//! Keys: personal data is sealed before it reaches the disk, and look-ups go through keyed hashes that nobody can
//! enumerate without the key file.
//!
//! It must not know what is sealed, and it never prints, logs or returns key material.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use data_encoding::{BASE32_NOPAD, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

use crate::crash;

/// Length of each key, in bytes (256 bits).
const KEY_BYTES: usize = 32;
/// Length of a nonce, in bytes (96 bits, what AES-GCM is specified for).
const NONCE_BYTES: usize = 12;
/// Length of the authentication tag, in bytes.
const TAG_BYTES: usize = 16;
/// First byte of everything sealed with AES-256-GCM, so that another algorithm can follow one day.
const ALGORITHM_AES_256_GCM: u8 = 1;
/// Length of a business identifier, in characters: 26 of base32 carry 130 bits.
const IDENTIFIER_CHARACTERS: usize = 26;
/// Largest key file read, in bytes.
const KEY_FILE_BYTES_MAX: u64 = 4096;
/// First line of a key file.
const HEADER: &str = "# Keys of posyandu-gateway. Keep a copy in another place, on paper too: without this file nothing \
stored can be read and the identifiers of records already sent cannot be made again.";

/// The seal key and the hash key of one installation. They are wiped from memory when dropped.
pub struct Keys {
    seal: Zeroizing<[u8; KEY_BYTES]>,
    hash: Zeroizing<[u8; KEY_BYTES]>,
    cipher: Aes256Gcm,
}

/// What can go wrong with keys and sealed content.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The operating system gave no random numbers.
    #[error("the operating system gave no random numbers")]
    Random(#[source] getrandom::Error),
    /// There is a key file already; it is never overwritten.
    #[error("{} exists already and is not overwritten: data sealed with it would be lost", .0.display())]
    Exists(PathBuf),
    /// The key file could not be written.
    #[error("cannot write the key file {}", path.display())]
    Write {
        /// The key file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The key file could not be read.
    #[error("cannot read the key file {}", path.display())]
    Read {
        /// The key file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others than the owner can read the key file.
    #[error("{} can be read by others (mode {mode:04o}); run: chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file does not hold the two keys.
    #[error("{} is not a key file: {reason}", path.display())]
    Malformed {
        /// The key file.
        path: PathBuf,
        /// What is wrong, without any of the content.
        reason: &'static str,
    },
    /// The content is too long to be sealed.
    #[error("{0}: the content cannot be sealed")]
    Seal(String),
    /// The sealed content is too short or of an unknown algorithm.
    #[error("{0}: this is not sealed content")]
    NotSealed(String),
    /// Another key, another context, or the content was altered.
    #[error("{0}: sealed with another key or altered")]
    Altered(String),
}

impl Keys {
    /// Makes new keys and writes them to a file of mode 0600, durably.
    ///
    /// # Errors
    /// [`SealError::Exists`] when there is a file already, [`SealError::Write`], [`SealError::Random`].
    pub fn create(path: &Path) -> Result<(), SealError> {
        let keys = Self::generate()?;
        let text = Zeroizing::new(format!(
            "{HEADER}\nseal {}\nhash {}\n",
            data_encoding::HEXLOWER.encode(&*keys.seal),
            data_encoding::HEXLOWER.encode(&*keys.hash)
        ));
        let failed = |source| SealError::Write { path: path.to_owned(), source };
        if path.exists() {
            return Err(SealError::Exists(path.to_owned()));
        }
        // The file gets its name when it is whole: half a key file would never be overwritten and never be readable.
        let mut half = path.as_os_str().to_owned();
        half.push(".new");
        let half = PathBuf::from(half);
        if half.exists() {
            fs::remove_file(&half).map_err(failed)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&half).map_err(failed)?;
        crash::point("keys.file.opened");
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        crash::point("keys.file.written");
        let named = fs::hard_link(&half, path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => SealError::Exists(path.to_owned()),
            _ => failed(error),
        });
        crash::point("keys.file.named");
        fs::remove_file(&half).map_err(failed)?;
        named?;
        // The name must survive a power cut too, or sealed data outlives its key.
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        crash::point("keys.file.safe");
        Ok(())
    }

    /// Reads the keys from a file that only its owner can read.
    ///
    /// # Errors
    /// [`SealError::Read`], [`SealError::Exposed`], [`SealError::Malformed`].
    pub fn load(path: &Path) -> Result<Self, SealError> {
        let failed = |source| SealError::Read { path: path.to_owned(), source };
        let about = fs::metadata(path).map_err(failed)?;
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o7777;
            if mode & 0o077 != 0 {
                return Err(SealError::Exposed { path: path.to_owned(), mode });
            }
        }
        let malformed = |reason| SealError::Malformed { path: path.to_owned(), reason };
        if about.len() > KEY_FILE_BYTES_MAX {
            return Err(malformed("it is too long"));
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
        let seal =
            key_in(&text, "seal").ok_or_else(|| malformed("the line `seal` with 64 hexadecimal digits is missing"))?;
        let hash =
            key_in(&text, "hash").ok_or_else(|| malformed("the line `hash` with 64 hexadecimal digits is missing"))?;
        if *seal == *hash {
            return Err(malformed("the two keys must differ"));
        }
        Ok(Self::from_parts(seal, hash))
    }

    /// New random keys that are not stored anywhere.
    ///
    /// # Errors
    /// [`SealError::Random`].
    pub fn generate() -> Result<Self, SealError> {
        let mut seal = Zeroizing::new([0; KEY_BYTES]);
        let mut hash = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *seal).map_err(SealError::Random)?;
        getrandom::fill(&mut *hash).map_err(SealError::Random)?;
        Ok(Self::from_parts(seal, hash))
    }

    fn from_parts(seal: Zeroizing<[u8; KEY_BYTES]>, hash: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let cipher = Aes256Gcm::new(&(*seal).into());
        Self { seal, hash, cipher }
    }

    /// Seals `plain` (AES-256-GCM, random nonce). `context` says where it belongs; it is not stored, and opening
    /// with another context fails, so that sealed values cannot be swapped between rows.
    ///
    /// # Errors
    /// [`SealError::Random`], [`SealError::Seal`].
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(SealError::Random)?;
        let sealed = self
            .cipher
            .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: context.as_bytes() })
            .map_err(|_| SealError::Seal(context.to_owned()))?;
        let mut out = Vec::with_capacity(1 + NONCE_BYTES + sealed.len());
        out.push(ALGORITHM_AES_256_GCM);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what [`Keys::seal`] sealed under the same context.
    ///
    /// # Errors
    /// [`SealError::NotSealed`], [`SealError::Altered`].
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let not_sealed = || SealError::NotSealed(context.to_owned());
        let (algorithm, rest) = sealed.split_first().ok_or_else(not_sealed)?;
        if *algorithm != ALGORITHM_AES_256_GCM || rest.len() < NONCE_BYTES + TAG_BYTES {
            return Err(not_sealed());
        }
        let (nonce, body) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(not_sealed)?;
        self.cipher
            .decrypt(&Nonce::from(*nonce), Payload { msg: body, aad: context.as_bytes() })
            .map_err(|_| SealError::Altered(context.to_owned()))
    }

    /// HMAC-SHA-256 over a domain and parts, each preceded by its length, so that no two lists of parts collide.
    #[must_use]
    pub fn hash(&self, domain: &str, parts: &[&str]) -> [u8; 32] {
        self.code_of(domain, parts.iter().map(|part| part.as_bytes()))
    }

    /// [`Keys::hash`] over parts that are bytes.
    #[must_use]
    pub fn code(&self, domain: &str, parts: &[&[u8]]) -> [u8; 32] {
        self.code_of(domain, parts.iter().copied())
    }

    fn code_of<'a>(&self, domain: &'a str, parts: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new(&keyed_block(&self.hash).into());
        for part in std::iter::once(domain.as_bytes()).chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// A business identifier: the first 26 characters of the base32 of [`Keys::hash`], upper case, no padding.
    #[must_use]
    pub fn identifier(&self, domain: &str, parts: &[&str]) -> String {
        let mut text = BASE32_NOPAD.encode(&self.hash(domain, parts));
        text.truncate(IDENTIFIER_CHARACTERS);
        text
    }
}

/// Bytes of a random text: no fewer than 128 bits can be guessed (security.md, section 3).
const RANDOM_TEXT_BYTES: usize = 20;

/// A random text of 32 capital letters and digits that nobody guesses: a login's token, or a one-time code.
///
/// # Errors
/// [`SealError::Random`].
pub fn random_text() -> Result<String, SealError> {
    let mut bytes = [0; RANDOM_TEXT_BYTES];
    getrandom::fill(&mut bytes).map_err(SealError::Random)?;
    Ok(BASE32_NOPAD.encode(&bytes))
}

/// HMAC pads a key shorter than a block (64 bytes for SHA-256) with zeros: doing it here needs no fallible call.
fn keyed_block(key: &[u8; KEY_BYTES]) -> [u8; 64] {
    let mut block = [0; 64];
    block[..KEY_BYTES].copy_from_slice(key);
    block
}

fn key_in(text: &str, name: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let mut lines = text.lines().filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix(' '));
    let value = lines.next()?;
    let mut bytes = HEXLOWER_PERMISSIVE.decode(value.trim().as_bytes()).ok()?;
    let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new);
    bytes.zeroize();
    if lines.next().is_some() { None } else { key }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Keys(•••)")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_unaltered_under_its_own_context_and_key() {
        let keys = Keys::generate().unwrap();
        let sealed = keys.seal("record/1", b"Siti").unwrap();
        assert_eq!(keys.open("record/1", &sealed).unwrap(), b"Siti");
        assert!(matches!(keys.open("record/2", &sealed), Err(SealError::Altered(_))));
        assert!(matches!(Keys::generate().unwrap().open("record/1", &sealed), Err(SealError::Altered(_))));
        for position in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[position] ^= 1;
            assert!(keys.open("record/1", &altered).is_err(), "byte {position}");
        }
        for length in 0..sealed.len() {
            assert!(keys.open("record/1", &sealed[..length]).is_err(), "length {length}");
        }
        assert_ne!(sealed, keys.seal("record/1", b"Siti").unwrap(), "the nonce must differ");
    }

    #[test]
    fn a_hash_tells_parts_and_domains_apart() {
        let keys = Keys::generate().unwrap();
        assert_ne!(keys.hash("a", &["bc", "d"]), keys.hash("a", &["b", "cd"]));
        assert_ne!(keys.hash("a", &["b"]), keys.hash("ab", &[]));
        assert_ne!(keys.hash("a", &["b"]), Keys::generate().unwrap().hash("a", &["b"]));
        let identifier = keys.identifier("visit", &["1", "2"]);
        assert_eq!(identifier, keys.identifier("visit", &["1", "2"]));
        assert_eq!(identifier.len(), IDENTIFIER_CHARACTERS);
        assert!(identifier.bytes().all(|byte| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte)));
    }

    #[test]
    fn the_hash_is_hmac_sha_256() {
        let keys = Keys::from_parts(Zeroizing::new([7; 32]), Zeroizing::new([9; 32]));
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&[9; 32]).unwrap();
        mac.update(b"\0\0\0\0\0\0\0\x01d\0\0\0\0\0\0\0\x02pq");
        assert_eq!(keys.hash("d", &["pq"]), <[u8; 32]>::from(mac.finalize().into_bytes()));
    }

    #[test]
    fn a_key_file_is_private_never_overwritten_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.txt");
        Keys::create(&path).unwrap();
        assert!(matches!(Keys::create(&path), Err(SealError::Exists(_))));
        let (first, second) = (Keys::load(&path).unwrap(), Keys::load(&path).unwrap());
        assert_eq!(second.open("c", &first.seal("c", b"x").unwrap()).unwrap(), b"x");
        assert_eq!(first.hash("d", &["p"]), second.hash("d", &["p"]));
        assert!(fs::read_to_string(&path).unwrap().starts_with("# "));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.txt");
        Keys::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Keys::load(&path).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_damaged_key_file_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.txt");
        Keys::create(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for wrong in [text.replace("seal ", "sael "), text.replace("hash ", "hash zz"), format!("{text}{text}")] {
            fs::write(&path, wrong).unwrap();
            assert!(matches!(Keys::load(&path), Err(SealError::Malformed { .. })));
        }
        assert!(!format!("{:?}", Keys::generate().unwrap()).contains(|c: char| c.is_ascii_digit()));
    }
}
