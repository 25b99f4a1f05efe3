//! `GET /health`: 200 as long as the process runs.

use std::time::Instant;

use axum::Json;
use serde::Serialize;

/// The body of `GET /health`.
#[derive(Debug, Serialize)]
pub(super) struct Health {
    /// Always `ok`: a server that is not does not answer.
    status: &'static str,
    /// Now, RFC 3339 in UTC.
    timestamp: String,
    /// Seconds since the start.
    uptime: f64,
}

pub(super) fn health(started: Instant) -> Json<Health> {
    let timestamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    Json(Health { status: "ok", timestamp, uptime: started.elapsed().as_secs_f64() })
}
