use std::io::{self, Error, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tower::service_fn;

use crate::target::Target;

/// The daemon's address either connects within seconds or is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Keepalive finds a dead connection within a call. The kernel would take a quarter of an hour.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the newest connection received first. HTTP/2's own errors don't tell these cases apart.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub(crate) enum Peer {
    /// There was no connection.
    Unknown,
    /// A connection, and no byte on it.
    Silent,
    /// The status line of HTTP/1.
    Http1,
    /// A TLS record.
    Tls,
    /// HTTP/2, which begins with a frame of settings, or too few bytes to say.
    Plain,
    /// Another protocol.
    Other,
}

impl Peer {
    fn of(first: &[u8]) -> Self {
        match first {
            [] => Self::Silent,
            _ if b"HTTP/1".starts_with(&first[..first.len().min(6)]) => Self::Http1,
            // RFC 8446, 5.1: types 20 (change_cipher_spec) to 23 (application_data), then the version 0x03nn.
            [20..=23] | [20..=23, 3, ..] => Self::Tls,
            // RFC 9113, 4.1: the type of a frame, 4 for SETTINGS, follows the three bytes of its length.
            [_, _, _, kind, ..] if *kind != 4 => Self::Other,
            _ => Self::Plain,
        }
    }
}

/// A channel, and what its newest connection received first.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) channel: Channel,
    peer: Arc<AtomicU8>,
}

/// Returns the endpoint of a target. An error names what is wrong with the TLS files.
pub(crate) fn endpoint(target: &Target, tls: Option<ClientTlsConfig>) -> Result<Endpoint, tonic::transport::Error> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let endpoint = Endpoint::from_shared(format!("{scheme}://{}", target.authority().1))?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT);
    tls.map_or(Ok(endpoint.clone()), |tls| endpoint.tls_config(tls))
}

impl Connection {
    /// Makes a channel that connects at its first call, and again after a failure.
    pub(crate) fn new(endpoint: &Endpoint, target: &Target) -> Self {
        let peer = Arc::new(AtomicU8::new(Peer::Unknown as u8));
        let (target, received) = (target.clone(), peer.clone());
        let connector = service_fn(move |_: Uri| {
            let (target, received) = (target.clone(), received.clone());
            async move {
                received.store(Peer::Unknown as u8, Ordering::Relaxed);
                let stream = open(&target).await?;
                received.store(Peer::Silent as u8, Ordering::Relaxed);
                Ok::<_, Error>(TokioIo::new(Observed { stream, peer: received, is_first: true }))
            }
        });
        Self { channel: endpoint.connect_with_connector_lazy(connector), peer }
    }

    /// Returns what the newest connection received first.
    pub(crate) fn peer(&self) -> Peer {
        [Peer::Silent, Peer::Http1, Peer::Tls, Peer::Plain, Peer::Other]
            .into_iter()
            .find(|peer| *peer as u8 == self.peer.load(Ordering::Relaxed))
            .unwrap_or(Peer::Unknown)
    }
}

/// Opens a connection to the first place that accepts one. It never goes through a proxy.
async fn open(target: &Target) -> io::Result<Box<dyn Stream>> {
    match target {
        #[cfg(unix)]
        Target::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        #[cfg(not(unix))]
        Target::Unix(_) => Err(Error::new(ErrorKind::Unsupported, "this system has no Unix sockets")),
        Target::Tcp(places) => {
            let mut failure = Error::new(ErrorKind::NotFound, "the target has no address");
            for place in places {
                match TcpStream::connect((place.host.as_str(), place.port)).await {
                    Ok(stream) => {
                        stream.set_nodelay(true)?;
                        return Ok(Box::new(stream));
                    }
                    Err(error) => failure = Error::new(error.kind(), format!("{}:{}: {error}", place.host, place.port)),
                }
            }
            Err(failure)
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A stream that notes what it receives first.
struct Observed {
    stream: Box<dyn Stream>,
    peer: Arc<AtomicU8>,
    is_first: bool,
}

impl AsyncRead for Observed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if self.is_first && result.is_ok() {
            self.is_first = false;
            self.peer.store(Peer::of(&buffer.filled()[before..]) as u8, Ordering::Relaxed);
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for Observed {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_show_the_protocol() {
        for (first, expected) in [
            (b"".as_slice(), Peer::Silent),
            (b"H", Peer::Http1),
            (b"HTTP/1.1 400 Bad Request", Peer::Http1),
            (&[21, 3, 3, 0, 2, 2, 70], Peer::Tls),
            (&[22, 3, 3], Peer::Tls),
            (&[0, 0, 18, 4, 0], Peer::Plain),
            (&[21, 0, 0, 4, 0], Peer::Plain),
            (&[0, 0], Peer::Plain),
            (b"SSH-2.0", Peer::Other),
            (b"220 mail ESMTP", Peer::Other),
        ] {
            assert_eq!(Peer::of(first), expected, "{first:?}");
        }
    }

    #[tokio::test]
    async fn places_are_tried_in_turn() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let open_port = listener.local_addr().unwrap().port();
        let target = Target::parse(&format!("ipv4:127.0.0.1:1,127.0.0.1:{open_port}")).unwrap();
        assert!(open(&target).await.is_ok());
        let refused = open(&Target::parse("127.0.0.1:1").unwrap()).await.err().unwrap().to_string();
        assert!(refused.starts_with("127.0.0.1:1: "), "{refused}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn abstract_socket_is_opened() {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::{SocketAddr, UnixListener};

        let name = format!("intercomd-{}", std::process::id());
        let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        assert!(open(&Target::parse(&format!("unix-abstract:{name}")).unwrap()).await.is_ok());
    }
}
