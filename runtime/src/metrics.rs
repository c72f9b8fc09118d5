//! The node's figures over HTTP, for Prometheus.
//!
//! Whoever may reach the port may read them, and can do no more: nothing is changed, and a slow or
//! hostile reader costs a bounded number of connections for a bounded time.

mod figures;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};

use crate::node::{Node, Shared};

/// Connections at a time; the oldest gives way to one more, so that readers who dawdle keep nobody out.
const CONNECTIONS_MAX: usize = 16;
/// How much of a question is read, in bytes: the least that hyper allows.
const QUESTION_MAX: usize = 8 << 10;
/// The headers of a question.
const HEADERS_MAX: usize = 64;
/// How long a question may take to arrive.
const QUESTION_TIME: Duration = Duration::from_secs(5);
/// How long a connection may last, question and answer together.
const CONNECTION_TIME: Duration = Duration::from_secs(10);
/// How long to wait when the system gives no more connections: too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// OpenMetrics 1.0, section "Protocol Negotiation".
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";
const HINT: &str = "A nunect node. Its figures, for Prometheus: GET /metrics\n";

/// Why no figures are served.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// Somebody else listens there.
    #[error(
        "the metrics cannot be served on {address}, where somebody else listens: \
         choose another port in `metrics.listen`, 0 for any that is free, or end who has it"
    )]
    Taken {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system does not let this process listen there.
    #[error(
        "the metrics cannot be served on {address}: \
         choose an address of this machine and a port that this user may have in `metrics.listen`"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Serves the figures of a node under `/metrics`, until it is dropped.
#[derive(Debug)]
pub struct MetricsServer {
    address: SocketAddr,
    task: AbortHandle,
}

impl MetricsServer {
    /// Listens on `listen`, on any free port when that is 0. Call it within a tokio runtime.
    ///
    /// # Errors
    /// When the port is taken, or not for this process to have.
    pub fn start(listen: SocketAddr, node: &Node) -> Result<Self, MetricsError> {
        let ready = || {
            let listener = TcpListener::bind(listen)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((tokio::net::TcpListener::from_std(listener)?, address))
        };
        let (listener, address) = ready().map_err(|source: std::io::Error| {
            let taken = source.kind() == std::io::ErrorKind::AddrInUse;
            if taken {
                MetricsError::Taken { address: listen, source }
            } else {
                MetricsError::Listen { address: listen, source }
            }
        })?;
        let task = tokio::spawn(serve(listener, Arc::downgrade(&node.shared))).abort_handle();
        Ok(Self { address, task })
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        // Its connections end with it.
        self.task.abort();
    }
}

async fn serve(listener: tokio::net::TcpListener, node: Weak<Shared>) {
    let mut connections = JoinSet::new();
    let mut by_age: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        by_age.retain(|connection| !connection.is_finished());
        if by_age.len() >= CONNECTIONS_MAX
            && let Some(oldest) = by_age.pop_front()
        {
            oldest.abort();
        }
        let conversation = tokio::time::timeout(CONNECTION_TIME, converse(stream, Weak::clone(&node)));
        by_age.push_back(connections.spawn(async move { drop(conversation.await) }));
    }
}

/// One question and its answer.
async fn converse(stream: TcpStream, node: Weak<Shared>) {
    let answer = service_fn(move |question| std::future::ready(Ok::<_, Infallible>(answer(&question, &node))));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(QUESTION_TIME)
        .max_buf_size(QUESTION_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer);
    // Who hangs up early, or speaks no HTTP, has told nobody anything.
    let _ = connection.await;
}

fn answer<B>(question: &Request<B>, node: &Weak<Shared>) -> Response<Full<Bytes>> {
    let known = matches!(question.uri().path(), "/" | "/metrics");
    if !known {
        return response(StatusCode::NOT_FOUND, PLAIN, HINT);
    }
    if question.method() != Method::GET && question.method() != Method::HEAD {
        let mut answer = response(StatusCode::METHOD_NOT_ALLOWED, PLAIN, HINT);
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    if question.uri().path() == "/" {
        return response(StatusCode::OK, PLAIN, HINT);
    }
    match node.upgrade() {
        Some(node) => response(StatusCode::OK, OPEN_METRICS, figures::text(&node)),
        None => response(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "the node has ended\n"),
    }
}

fn response(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
