//! The files that a call leaves. Each is written beside its place under a name of its own and moved there when it is
//! whole, so that what stood there before stays until there is something to replace it with.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::{CallArgs, Failure};

/// The files that the arguments ask for.
#[derive(Debug)]
pub(super) struct KeptFiles {
    pub(super) recording: Option<KeptFile>,
    pub(super) capture: Option<KeptFile>,
}

/// A file that is not in its place yet; dropping it leaves nothing behind.
#[derive(Debug)]
pub(super) struct KeptFile {
    shown: String,
    place: PathBuf,
    part: PathBuf,
}

impl KeptFiles {
    /// Makes room for them, so that a path that cannot be written is found before the call is placed.
    ///
    /// # Errors
    /// When a path cannot be written.
    pub(super) fn reserve(args: &CallArgs) -> Result<Self, Failure> {
        let reserve = |path: &Option<PathBuf>| path.as_deref().map(KeptFile::reserve).transpose();
        Ok(Self { recording: reserve(&args.record)?, capture: reserve(&args.capture)? })
    }
}

impl KeptFile {
    fn reserve(wanted: &Path) -> Result<Self, Failure> {
        let shown = wanted.display().to_string();
        let unwritable = |error: io::Error| {
            Failure::refused(format!("{shown} cannot be written: {error}"))
                .advise("name a file in a folder that exists and can be written")
        };
        let place = place_of(wanted).map_err(unwritable)?;
        let present = match fs::metadata(&place) {
            Ok(present) if !present.is_file() => {
                let what = if present.is_dir() { "a directory" } else { "a device, a socket or a pipe" };
                return Err(Failure::refused(format!("{shown} is {what}")).advise("name a file"));
            }
            Ok(present) => Some(present),
            Err(_) => None,
        };
        let part = part_of(&place);
        // Never through a link that somebody else has put there.
        let file = File::create_new(&part).map_err(unwritable)?;
        let kept = Self { shown: shown.clone(), place, part };
        if let Some(present) = present {
            // Whoever closed the old file to others means the new one too.
            file.set_permissions(present.permissions()).map_err(unwritable)?;
        }
        Ok(kept)
    }

    /// Where to write it.
    pub(super) fn part(&self) -> &Path {
        &self.part
    }

    /// Moves it to its place once it is whole, and tells its name.
    ///
    /// # Errors
    /// When the disk or the folder refuses; nothing is changed then.
    pub(super) fn put(self) -> io::Result<String> {
        // Before the old file goes, the new one must be on the disk.
        File::open(&self.part)?.sync_all()?;
        fs::rename(&self.part, &self.place)?;
        Ok(self.shown.clone())
    }
}

impl Drop for KeptFile {
    fn drop(&mut self) {
        // It is gone already if it was put in its place.
        let _ = fs::remove_file(&self.part);
    }
}

/// Refuses arguments by which the call would overwrite what it reads, or one of its files the other.
///
/// # Errors
/// Exit code 2.
pub(super) fn refuse_one_file_twice(args: &CallArgs) -> Result<(), Failure> {
    let files = [
        ("--wav", &args.wav),
        ("--pcap", &args.pcap),
        ("--record", &args.record),
        ("--capture", &args.capture),
    ];
    let places: Vec<(&str, PathBuf)> =
        files.iter().filter_map(|(name, path)| Some((*name, place_of(path.as_deref()?).ok()?))).collect();
    for (index, (name, place)) in places.iter().enumerate() {
        if let Some((other, _)) = places[..index].iter().find(|(_, earlier)| earlier == place) {
            return Err(Failure::refused(format!(
                "{other} and {name} name the same file, {}",
                place.display()
            ))
            .advise("give each a file of its own"));
        }
    }
    Ok(())
}

/// The path without links, of a file that need not be there.
fn place_of(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Ok(place) => Ok(place),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().ok_or(error)?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            Ok(fs::canonicalize(folder.unwrap_or(Path::new(".")))?.join(name))
        }
        Err(error) => Err(error),
    }
}

/// In the same folder, because only there a rename replaces the old file at once; with the process's number, because
/// two calls may leave the same file.
fn part_of(place: &Path) -> PathBuf {
    let mut name = place.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    place.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("caly-kept-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            let mut names: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_stands_in_its_place_stays_until_it_is_replaced() {
        let folder = Folder::new("stays");
        let wanted = folder.0.join("out.wav");
        fs::write(&wanted, "old").unwrap();
        fs::set_permissions(&wanted, fs::Permissions::from_mode(0o600)).unwrap();
        drop(KeptFile::reserve(&wanted).unwrap());
        assert_eq!(fs::read(&wanted).unwrap(), b"old");
        let kept = KeptFile::reserve(&wanted).unwrap();
        fs::write(kept.part(), "new").unwrap();
        assert_eq!(fs::read(&wanted).unwrap(), b"old");
        kept.put().unwrap();
        assert_eq!(fs::read(&wanted).unwrap(), b"new");
        assert_eq!(fs::metadata(&wanted).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(folder.names(), ["out.wav"]);
    }

    #[test]
    fn a_link_keeps_pointing_to_the_file_that_is_replaced() {
        let folder = Folder::new("link");
        let (file, link) = (folder.0.join("file"), folder.0.join("link"));
        fs::write(&file, "old").unwrap();
        symlink("file", &link).unwrap();
        let kept = KeptFile::reserve(&link).unwrap();
        fs::write(kept.part(), "new").unwrap();
        kept.put().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
    }

    #[test]
    fn only_files_are_replaced() {
        let folder = Folder::new("only");
        for (wanted, told) in [
            (Path::new("/dev/null"), "device"),
            (&folder.0, "directory"),
            (&folder.0.join("no/out.wav"), "No such file"),
        ] {
            let failure = KeptFile::reserve(wanted).unwrap_err();
            assert!(failure.to_string().contains(told), "{failure}");
            assert_eq!(failure.exit_code(), 2);
        }
        assert!(folder.names().is_empty());
    }

    #[test]
    fn one_file_cannot_be_two_things() {
        let folder = Folder::new("twice");
        let (sound, other) = (folder.0.join("x.wav"), folder.0.join("./y.pcap"));
        fs::write(&sound, "sound").unwrap();
        symlink("x.wav", folder.0.join("alias")).unwrap();
        let args = |record: &Path, capture: &Path| CallArgs {
            wav: Some(sound.clone()),
            record: Some(record.to_path_buf()),
            capture: Some(capture.to_path_buf()),
            ..CallArgs::default()
        };
        for (record, capture, told) in [
            (&sound, &other, "--wav and --record"),
            (&folder.0.join("alias"), &other, "--wav and --record"),
            (&other, &folder.0.join("y.pcap"), "--record and --capture"),
        ] {
            let failure = refuse_one_file_twice(&args(record, capture)).unwrap_err();
            assert!(failure.to_string().starts_with(told), "{failure}");
            assert_eq!(failure.exit_code(), 2);
        }
        assert!(refuse_one_file_twice(&args(&folder.0.join("z.wav"), &other)).is_ok());
    }
}
