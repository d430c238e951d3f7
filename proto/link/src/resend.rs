//! Calls that met the end of a connection. Every connection is asked to end after a while and made anew; a call that was
//! handed to it in that very moment comes back unsent.

use std::error::Error as _;
use tonic::Status;

/// Makes a call, and once more if the first never left. A call that left is never made again: what became of it is not
/// known.
///
/// # Errors
/// As the call gives them.
pub async fn send<T, Calling: Future<Output = Result<T, Status>>>(
    mut call: impl FnMut() -> Calling,
) -> Result<T, Status> {
    match call().await {
        Err(status) if never_left(&status) => call().await,
        answered => answered,
    }
}

/// hyper says "cancelled" of requests that it still had in hand, and of no others.
fn never_left(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return error.is_canceled();
        }
        cause = error.source();
    }
    false
}
