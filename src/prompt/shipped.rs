//! The clips that come with the server, so that the agents shipped with it speak on a machine without espeak-ng.

use include_dir::{Dir, include_dir};

use super::Address;

/// The bytes of a shipped clip, mu-law.
pub(super) fn clip(address: Address) -> Option<&'static [u8]> {
    CLIPS.get_file(address.file_name()).map(include_dir::File::contents)
}

/// The names of all shipped files.
#[cfg(test)]
pub(super) fn file_names() -> impl Iterator<Item = &'static str> {
    CLIPS.files().filter_map(|file| file.path().to_str())
}

static CLIPS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/config/prompts");
