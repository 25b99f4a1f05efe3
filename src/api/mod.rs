//! The HTTP side of the server. So far it answers one question: is it alive.

mod connections;
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
        let task = tokio::spawn(connections::serve(listener, router, stopped));
        Ok(Self { local, stop, task })
    }

    /// The address with its real port.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Finishes the requests that are running, for a moment, and stops.
    pub async fn shutdown(self) {
        // A task that is gone has nothing to stop.
        let _ = self.stop.send(());
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the HTTP server did not end well");
        }
    }
}
