//! The apps that may send records: what their settings must be, and their tokens.
//!
//! A token stands in a file of its own and never in the configuration; whether it is strong enough is judged where
//! tokens are compared.

use std::path::Path;

use super::sections::Sender;
use super::{Config, ConfigError};
use crate::redact::Personal;

impl Config {
    /// Whether the senders fit together and to the rest.
    pub(super) fn check_senders(&self) -> Result<(), ConfigError> {
        let unfit = |text: String| Err(ConfigError::Unfit(text));
        for (index, sender) in self.sender.iter().enumerate() {
            let name = &sender.name;
            let twice = self.sender[..index].iter().any(|other| other.name == *name);
            if twice || self.source.iter().any(|source| source.name == *name) {
                return unfit(format!("two sources or senders are called `{name}`: give each its own name"));
            }
            if name.trim().is_empty() {
                return unfit("a [[sender]] needs a `name`".to_owned());
            }
            if !self.puskesmas.iter().any(|one| one.name == sender.puskesmas) {
                let names = self.puskesmas.iter().map(|one| one.name.as_str());
                let near = crate::mapping::problem::nearest(&sender.puskesmas, names);
                let near = near.map(|text| format!(" ({text})")).unwrap_or_default();
                let puskesmas = &sender.puskesmas;
                return unfit(format!("sender `{name}` names puskesmas `{puskesmas}`, which is not configured{near}"));
            }
        }
        if !self.sender.is_empty() && self.http.listen.parse::<std::net::SocketAddr>().is_err() {
            return unfit("[http] listen must be an address with a port, such as \"127.0.0.1:8200\"".to_owned());
        }
        Ok(())
    }

    /// The token of a sender.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn sender_token(&self, one: &Sender) -> Result<Personal<String>, ConfigError> {
        self.token(&format!("sender `{}`", one.name), &one.token_file)
    }

    /// The token for the metrics; none when no file is configured.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn scrape_token(&self) -> Result<Option<Personal<String>>, ConfigError> {
        let file = &self.http.scrape_token_file;
        if file.as_os_str().is_empty() { Ok(None) } else { self.token("[http] scrape_token_file", file).map(Some) }
    }

    /// The secret that signs messages to the webhook; none when no webhook is configured.
    ///
    /// # Errors
    /// A file that cannot be read, or is not named.
    pub fn webhook_secret(&self) -> Result<Option<Personal<String>>, ConfigError> {
        if self.alarm.webhook_url.is_empty() {
            return Ok(None);
        }
        self.token("[alarm] webhook_secret_file", &self.alarm.webhook_secret_file).map(Some)
    }

    fn token(&self, whose: &str, file: &Path) -> Result<Personal<String>, ConfigError> {
        let path = self.path(file);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Personal::new(text.trim().to_owned())),
            Err(error) => {
                let path = path.display();
                Err(ConfigError::Unfit(format!("{whose}: cannot read the token file {path}: {error}")))
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn told(text: &str) -> String {
        let puskesmas = "[[puskesmas]]\nname = \"Contoh\"\norganization_id = \"1\"\nclient_id = \"a\"\n\
                         client_secret_file = \"x\"\ntimezone = \"WIB\"\n";
        let text = format!("{text}\n{puskesmas}");
        let parsed = Config::parse(Path::new("g.toml"), &text, PathBuf::new(), std::iter::empty());
        parsed.map(|_| String::new()).unwrap_or_else(|error| error.to_string())
    }

    fn sender(name: &str, puskesmas: &str) -> String {
        format!("[[sender]]\nname = \"{name}\"\ntoken_file = \"t\"\npuskesmas = \"{puskesmas}\"\n")
    }

    #[test]
    fn senders_must_fit_the_rest() {
        let source = "[[source]]\nname = \"app\"\nprofile = \"p\"\npath = \"f\"\n";
        assert_eq!(told(&sender("app", "Contoh")), "");
        assert!(told(&(sender("app", "Contoh") + source)).contains("called `app`"));
        assert!(told(&(sender("app", "Contoh") + &sender("app", "Contoh"))).contains("called `app`"));
        assert!(told(&sender("app", "Conto")).contains("did you mean `Contoh`"));
        assert!(told(&("[http]\nlisten = \"here\"\n".to_owned() + &sender("app", "Contoh"))).contains("listen"));
        assert!(told("[[sender]]\nname = \"app\"\n").contains("token_file"));
    }
}
