//! HTTP connections: bounded in number and in the time that a request may take to arrive, so that nobody who only holds them
//! open takes the descriptors that calls need.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::{sleep, timeout};

/// Serves connections until `stopped`, then finishes the requests that are running, for a moment.
pub(super) async fn serve(listener: TcpListener, router: Router, stopped: oneshot::Receiver<()>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (stopping, is_stopping) = watch::channel(false);
    tokio::select! {
        () = accept(&listener, &router, &places, &is_stopping) => {}
        // A dropped sender means the same: stop.
        _ = stopped => {}
    }
    // Nobody listens if there is no connection.
    let _ = stopping.send(true);
    // All places are free when the last connection has gone; who does not go is cut with the runtime.
    let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
    let _ = timeout(SHUTDOWN_TIME, places.acquire_many(all)).await;
}

async fn accept(
    listener: &TcpListener,
    router: &Router,
    places: &Arc<Semaphore>,
    stopping: &watch::Receiver<bool>,
) {
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve_one(stream, router.clone(), stopping.clone(), place));
            }
            Err(error) => {
                // Out of descriptors, mostly: whoever waits is accepted when some are free.
                tracing::warn!(%error, "HTTP connections wait to be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_one(
    stream: TcpStream,
    router: Router,
    mut stopping: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIME)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(serving);
    tokio::select! {
        // A client that broke off or said no HTTP has nothing to be told.
        _ = &mut serving => {}
        _ = stopping.changed() => {
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
    }
}

/// A load balancer, a collector and some people with browsers.
const MAX_CONNECTIONS: usize = 256;
/// From the connection, or the answer before, to the end of the request's header.
const REQUEST_TIME: Duration = Duration::from_secs(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A client that keeps its connection open must not keep the server.
const SHUTDOWN_TIME: Duration = Duration::from_secs(1);
