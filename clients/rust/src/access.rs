use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tracing::warn;

use crate::connect::{Connection, endpoint};
use crate::target::Target;
use crate::{Error, Options};

/// Secures the calls with PEM files. They are read again before each call, so that they may be replaced.
///
/// Without a CA file, the daemon's certificate is checked against the authorities of the system.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Tls {
    ca_file: Option<PathBuf>,
    identity: Option<(PathBuf, PathBuf)>,
    server_name: Option<String>,
}

impl Tls {
    /// Returns TLS with the authorities of the system.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the authorities that the daemon's certificate is checked against.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Sets the client's certificate chain and its private key, for daemons that request one.
    pub fn identity_files(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.identity = Some((certificate.into(), key.into()));
        self
    }

    /// Sets the name that the daemon's certificate has, if the target has another one.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    fn read(&self) -> Result<PemFiles, String> {
        let read = |path: &PathBuf, name| read_file(path, name).map(|text| text.into_bytes());
        let ca = self.ca_file.as_ref().map(|path| read(path, "ca_file")).transpose()?;
        let identity = match &self.identity {
            Some((certificate, key)) => Some((read(certificate, "certificate")?, read(key, "key")?)),
            None => None,
        };
        Ok(PemFiles { ca, identity })
    }

    fn config(&self, files: &PemFiles, target: &Target) -> Result<ClientTlsConfig, String> {
        let name = self.server_name.clone().unwrap_or_else(|| target.authority().0);
        let mut config = ClientTlsConfig::new().domain_name(name);
        config = match &files.ca {
            None => config.with_native_roots(),
            Some(pem) if String::from_utf8_lossy(pem).contains("-----BEGIN CERTIFICATE-----") => {
                config.ca_certificate(Certificate::from_pem(pem))
            }
            Some(_) => {
                let path = self.ca_file.as_deref().unwrap_or(Path::new("")).display();
                return Err(format!("ca_file {path} holds no certificate in PEM form"));
            }
        };
        if let Some((certificate, key)) = &files.identity {
            config = config.identity(Identity::from_pem(certificate, key));
        }
        Ok(config)
    }
}

/// What the TLS files hold.
#[derive(Clone, Default, PartialEq)]
struct PemFiles {
    ca: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// Opens connections to the target and proves who calls.
pub(crate) struct Access {
    target: Target,
    tls: Option<Tls>,
    token_file: Option<PathBuf>,
    token: Option<Token>,
    files: PemFiles,
    endpoint: Endpoint,
    connection: Option<Connection>,
    reported: HashSet<&'static str>,
}

type Token = MetadataValue<Ascii>;

impl Access {
    pub(crate) fn new(target: &str, options: &Options) -> Result<Self, Error> {
        let place = Target::parse(target)?;
        let made = Self::read(place, options).map_err(Error::Configuration)?;
        if made.token.is_some() && options.tls.is_none() && !made.target.is_local() {
            warn!(target, "the token travels in plain text: set tls");
        }
        Ok(made)
    }

    fn read(target: Target, options: &Options) -> Result<Self, String> {
        let token = match (&options.token, &options.token_file) {
            (Some(_), Some(_)) => return Err("token and token_file exclude each other: set one of them".into()),
            (Some(token), None) => Some(check_token(token, "token")?),
            (None, Some(path)) => Some(read_token(path)?),
            (None, None) => None,
        };
        let files = options.tls.as_ref().map(Tls::read).transpose()?.unwrap_or_default();
        Ok(Self {
            endpoint: make_endpoint(&target, options.tls.as_ref(), &files)?,
            target,
            tls: options.tls.clone(),
            token_file: options.token_file.clone(),
            token,
            files,
            connection: None,
            reported: HashSet::new(),
        })
    }

    /// Returns the connection of the next call. Changed TLS files need a new one; calls on the earlier one go on.
    pub(crate) fn connect(&mut self) -> Connection {
        if let Some(tls) = &self.tls {
            let read = tls.read().and_then(|files| {
                if files == self.files {
                    return Ok(None);
                }
                Ok(Some((make_endpoint(&self.target, Some(tls), &files)?, files)))
            });
            if let Some(Some((endpoint, files))) = self.checked("tls", read) {
                (self.endpoint, self.files, self.connection) = (endpoint, files, None);
            }
        }
        self.connection.get_or_insert_with(|| Connection::new(&self.endpoint, &self.target)).clone()
    }

    /// Returns the value of the authorization header. Reads the token file again; if that fails, the last token is used.
    pub(crate) fn authorization(&mut self) -> Option<Token> {
        if let Some(path) = &self.token_file {
            let read = read_token(path);
            if let Some(token) = self.checked("token_file", read) {
                self.token = Some(token);
            }
        }
        self.token.clone()
    }

    /// Closes the connection.
    pub(crate) fn close(&mut self) {
        self.connection = None;
    }

    /// Returns what was read again. If a file cannot be read, as during its replacement, it warns once.
    fn checked<T>(&mut self, option: &'static str, read: Result<T, String>) -> Option<T> {
        match read {
            Ok(content) => {
                self.reported.remove(option);
                Some(content)
            }
            Err(error) => {
                if self.reported.insert(option) {
                    warn!(option, error, "a file cannot be read; its last content is used");
                }
                None
            }
        }
    }
}

fn make_endpoint(target: &Target, tls: Option<&Tls>, files: &PemFiles) -> Result<Endpoint, String> {
    let config = tls.map(|tls| tls.config(files, target)).transpose()?;
    endpoint(target, config).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("target or tls files: {error}{cause}")
    })
}

/// Returns the token in a file: one line, with or without its end and a byte order mark.
fn read_token(path: &Path) -> Result<Token, String> {
    let text = read_file(path, "token_file")?;
    check_token(text.trim_start_matches('\u{feff}').trim(), &format!("token_file {}", path.display()))
}

/// Checks that a token can be the value of a header (RFC 9110, 5.5). Its errors don't quote it.
fn check_token(token: &str, name: &str) -> Result<Token, String> {
    if token.is_empty() {
        return Err(format!("{name} is empty"));
    }
    let is_printable = token.bytes().all(|byte| byte.is_ascii_graphic());
    let value = format!("Bearer {token}").parse::<Token>().ok().filter(|_| is_printable);
    let mut value =
        value.ok_or_else(|| format!("{name} must be one line of printable ASCII characters without spaces"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn read_file(path: &Path, name: &str) -> Result<String, String> {
    let text =
        fs::read_to_string(path).map_err(|error| format!("{name} {} cannot be read: {error}", path.display()))?;
    if text.is_empty() { Err(format!("{name} {} is empty", path.display())) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use std::env::temp_dir;

    use super::*;
    use crate::Publisher;

    /// A folder that is removed at the end of its test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let path = temp_dir().join(format!("intercomd-{test}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, content: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, content).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn token_file_is_read_again() {
        let folder = Folder::new("token");
        let path = folder.write("token", "\u{feff}first\r\n");
        let options = Options { token_file: Some(path), ..Options::default() };
        let mut access = Access::new("127.0.0.1:1", &options).unwrap();
        for (content, expected) in [
            ("\u{feff}first\r\n", "Bearer first"),
            ("second", "Bearer second"),
            ("", "Bearer second"),
            ("two words", "Bearer second"),
            ("third\n", "Bearer third"),
        ] {
            folder.write("token", content);
            assert_eq!(access.authorization().unwrap(), expected, "{content:?}");
        }
    }

    #[test]
    fn wrong_access_is_an_error_that_names_the_option() {
        let folder = Folder::new("access");
        let text = folder.write("text.pem", "no certificate");
        let cut = folder.write("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB");
        let empty = folder.write("empty", "");
        let missing = folder.0.join("missing");
        let builder = || Publisher::builder("127.0.0.1:1");
        let tls = |tls| builder().tls(tls);
        for (given, expected) in [
            (builder().token("a").token_file("b"), "exclude each other"),
            (builder().token("a secret"), "token must be one line"),
            (builder().token(""), "token is empty"),
            (builder().token_file(&missing), "missing"),
            (builder().token_file(&empty), "empty"),
            (tls(Tls::new().ca_file(&text)), "ca_file"),
            (tls(Tls::new().ca_file(&cut)), "tls files"),
            (tls(Tls::new().ca_file(&missing)), "missing"),
            (tls(Tls::new().identity_files(&text, &text)), "tls files"),
            (tls(Tls::new().identity_files(&missing, &text)), "certificate"),
        ] {
            let error = given.build().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}, expected {expected}");
            assert!(!error.contains("secret"), "the error quotes the token: {error}");
        }
    }
}
