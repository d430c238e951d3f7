//! A gRPC server without tonic's unsafe defaults.

use http::HeaderMap;
use serde::Deserialize;
use std::time::Duration;
use tonic::{Request, Status, service::Interceptor, transport::Server};

/// Limits of a gRPC server. tonic's own defaults leave most of these open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerLimits {
    /// Calls under way on one connection.
    pub streams_per_connection_max: u32,
    /// Header bytes of one call.
    pub header_list_bytes_max: u32,
    /// Seconds of silence after which a ping is sent.
    pub keepalive_s: u64,
    /// Seconds to wait for the answer to a ping.
    pub keepalive_timeout_s: u64,
    /// Seconds after which a connection is asked to end and be made anew.
    pub connection_age_max_s: u64,
}

impl Default for ServerLimits {
    fn default() -> Self {
        ServerLimits {
            streams_per_connection_max: 100,
            header_list_bytes_max: 16 * 1024,
            keepalive_s: 20,
            keepalive_timeout_s: 10,
            connection_age_max_s: 1800,
        }
    }
}

/// Resets of streams that a peer may provoke before its connection is closed (CVE-2023-44487, RUSTSEC-2024-0003).
const RESETS_MAX: usize = 256;
const PENDING_RESETS_MAX: usize = 20;

/// A server builder with `limits` set.
pub fn server(limits: ServerLimits) -> Server {
    Server::builder()
        .max_concurrent_streams(limits.streams_per_connection_max)
        .http2_max_header_list_size(limits.header_list_bytes_max)
        .http2_max_local_error_reset_streams(Some(RESETS_MAX))
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        .http2_keepalive_interval(Some(Duration::from_secs(limits.keepalive_s)))
        .http2_keepalive_timeout(Some(Duration::from_secs(limits.keepalive_timeout_s)))
        .max_connection_age(Duration::from_secs(limits.connection_age_max_s))
        .tcp_nodelay(true)
}

/// Refuses a call whose `grpc-timeout` is malformed; tonic would ignore it and wait for ever.
#[derive(Clone, Copy, Debug, Default)]
pub struct RefuseMalformedTimeout;

impl Interceptor for RefuseMalformedTimeout {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let headers: HeaderMap = request.metadata().clone().into_headers();
        let mut values = headers.get_all("grpc-timeout").iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(request),
            (Some(value), None) if well_formed(value.as_bytes()) => Ok(request),
            _ => Err(Status::invalid_argument(
                "grpc-timeout: one value, one to eight digits and a unit of H, M, S, m, u or n; send it so or leave it out",
            )),
        }
    }
}

fn well_formed(value: &[u8]) -> bool {
    let Some((unit, digits)) = value.split_last() else { return false };
    let number = (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    number && b"HMSmun".contains(unit) && digits.iter().any(|d| *d != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_timeout_is_refused() {
        for (text, fits) in
            [("3S", true), ("100m", true), ("99999999n", true), ("0S", false), ("-1S", false), ("123456789S", false)]
                .into_iter()
                .chain([("S", false), ("", false), ("3", false), ("3s", false), ("3 S", false)])
        {
            assert_eq!(well_formed(text.as_bytes()), fits, "{text:?}");
        }
    }
}
