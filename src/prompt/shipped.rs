//! The clips that come with the server, so that the agents shipped with it speak on a machine without espeak-ng.

use caly_rtp::codec::Codec;
use include_dir::{Dir, include_dir};

use super::Address;

/// The bytes of a shipped clip, mu-law.
pub(super) fn clip(address: Address) -> Option<&'static [u8]> {
    CLIPS.get_file(address.file_name()).map(include_dir::File::contents)
}

/// All shipped clips as samples, in the order of their file names.
pub fn shipped_clips() -> impl Iterator<Item = Vec<i16>> {
    let mut files: Vec<_> =
        CLIPS.files().filter(|file| file.path().extension().is_some_and(|it| it == "ulaw")).collect();
    files.sort_by_key(|file| file.path());
    files.into_iter().map(|file| {
        let mut samples = vec![0; file.contents().len()];
        Codec::Pcmu.decode(file.contents(), &mut samples);
        samples
    })
}

/// The names of all shipped files.
#[cfg(test)]
pub(super) fn file_names() -> impl Iterator<Item = &'static str> {
    CLIPS.files().filter_map(|file| file.path().to_str())
}

static CLIPS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/config/prompts");
