//! Finds the call that a command names.

use std::path::Path;

use super::{failure, open};
use crate::cli::Failure;
use crate::store::{CallLog, DataDir, Lookup, MIN_ID_PART};

/// The call with this id, or with this beginning or end of it, and the directory that it lies in.
///
/// # Errors
/// When there is no such call, or more than one.
pub(super) async fn call(data: &Path, id: &str) -> Result<(CallLog, DataDir), Failure> {
    let mut store = open(data).await?;
    let found = store.find(id).await.map_err(|error| failure(&error))?;
    let dir = store.data_dir().clone();
    store.close().await.map_err(|error| failure(&error))?;
    match found {
        Lookup::Found(log) => Ok((*log, dir)),
        Lookup::Several(ids) => Err(several(id, &ids)),
        Lookup::TooShort => Err(Failure::refused(format!("{id:?} is too short to name a call")).advise(
            format!("write at least {MIN_ID_PART} characters of the beginning or the end of its id"),
        )),
        Lookup::Absent => Err(Failure::failed(format!("there is no call {id:?} in {}", data.display()))
            .advise("`caly calls ls` lists the calls")),
    }
}

fn several(part: &str, ids: &[String]) -> Failure {
    let some: Vec<&str> = ids.iter().map(String::as_str).take(MAX_SHOWN_IDS).collect();
    let more = if ids.len() > some.len() { ", ..." } else { "" };
    Failure::refused(format!(
        "the ids of several calls begin or end with {part:?}: {}{more}",
        some.join(", ")
    ))
    .advise("write more of the id; ends differ more than beginnings")
}

/// Ids in the error about an ambiguous part.
const MAX_SHOWN_IDS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ambiguous_id_names_candidates() {
        let ids: Vec<String> = (0..9).map(|n| format!("id-{n}")).collect();
        let failure = several("id", &ids).to_string();
        assert!(failure.contains("id-4, ...") && !failure.contains("id-5"), "{failure}");
    }
}
