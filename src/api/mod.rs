//! The HTTP side of the server. So far it answers one question: is it alive.

mod health;

use std::net::SocketAddr;
use std::time::Instant;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A running HTTP server; it is joined by [`Api::shutdown`].
#[derive(Debug)]
pub struct Api {
    local: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Api {
    /// Serves on an address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(listen: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let local = listener.local_addr()?;
        let started = Instant::now();
        let router = Router::new().route("/health", get(move || async move { health::health(started) }));
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let serving = axum::serve(listener, router).with_graceful_shutdown(async {
                // A dropped sender means the same: stop.
                let _ = stopped.await;
            });
            if let Err(error) = serving.await {
                tracing::error!(%error, "the HTTP server stopped");
            }
        });
        Ok(Self { local, stop, task })
    }

    /// The address with its real port.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Finishes the requests that are running, for a moment, and stops.
    pub async fn shutdown(self) {
        let _ = self.stop.send(());
        let abort = self.task.abort_handle();
        if tokio::time::timeout(SHUTDOWN_TIME, self.task).await.is_err() {
            abort.abort();
        }
    }
}

/// A client that keeps its connection open must not keep the server.
const SHUTDOWN_TIME: std::time::Duration = std::time::Duration::from_secs(1);
