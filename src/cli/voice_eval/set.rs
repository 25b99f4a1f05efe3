//! A labelled set as a folder: NAME.wav beside NAME.toml.

use std::fs;
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::cli::Failure;
use crate::eval::{Label, Trial};
use crate::sound::wav;

/// Reads all trials of a folder and of those within it, in the order of their names.
pub(super) fn read(folder: &Path) -> Result<Vec<Trial>, Failure> {
    let mut labels = Vec::new();
    collect(folder, &mut labels, 0)?;
    labels.sort();
    if labels.is_empty() {
        return Err(Failure::refused(format!(
            "{}: there is no NAME.toml beside a NAME.wav",
            folder.display()
        ))
        .advise(
            "name a folder with labelled sounds (docs/turn-taking.md), or add --make to have one made there",
        ));
    }
    labels.iter().map(|path| trial(folder, path)).collect()
}

/// Writes a trial as two files.
pub(super) fn write(folder: &Path, trial: &Trial) -> Result<(), Failure> {
    let path = folder.join(format!("{}.wav", trial.name));
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        Failure::failed(format!("{}: {error}", path.display())).advise("see whether the disk is full")
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| failed(parent, &error))?;
    }
    let spec =
        WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut writer = WavWriter::create(&path, spec).map_err(|error| failed(&path, &error))?;
    for &sample in &trial.caller {
        writer.write_sample(sample).map_err(|error| failed(&path, &error))?;
    }
    writer.finalize().map_err(|error| failed(&path, &error))?;
    let label = path.with_extension("toml");
    let text = toml::to_string(&trial.label).map_err(|error| failed(&label, &error))?;
    fs::write(&label, text).map_err(|error| failed(&label, &error))
}

fn collect(folder: &Path, labels: &mut Vec<PathBuf>, depth: usize) -> Result<(), Failure> {
    let refused = |error: std::io::Error| {
        Failure::refused(format!("{}: {error}", folder.display()))
            .advise("name a folder with labelled sounds, or add --make to have one made there")
    };
    for entry in fs::read_dir(folder).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        if path.is_dir() && depth < MAX_DEPTH {
            collect(&path, labels, depth + 1)?;
        } else if path.extension().is_some_and(|it| it == "toml") && path.with_extension("wav").is_file() {
            labels.push(path);
        }
    }
    Ok(())
}

fn trial(folder: &Path, path: &Path) -> Result<Trial, Failure> {
    let refused = |what: &dyn std::fmt::Display| {
        Failure::refused(format!("{}: {what}", path.display())).advise("docs/turn-taking.md tells the format")
    };
    let text = fs::read_to_string(path).map_err(|error| refused(&error))?;
    let label: Label = toml::from_str(&text).map_err(|error| refused(&error.to_string().trim_end()))?;
    let caller = wav::read(&path.with_extension("wav"))
        .map_err(|error| Failure::refused(error.to_string()).advise(error.advice()))?;
    label.check(u32::try_from(caller.len() / 8).unwrap_or(u32::MAX)).map_err(|why| refused(&why))?;
    let name = path.strip_prefix(folder).unwrap_or(path).with_extension("");
    Ok(Trial { name: name.to_string_lossy().into_owned(), label, caller })
}

/// A set has a folder for each condition; deeper than this it is no set.
const MAX_DEPTH: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{AgentPart, Kind, Span};

    #[test]
    fn what_was_written_is_read_again() {
        let folder = std::env::temp_dir().join(format!("caly-set-{}", std::process::id()));
        let label = Label {
            condition: "car-10".to_owned(),
            kind: Kind::Backchannel,
            agent: AgentPart::Talks,
            language: "hi".to_owned(),
            speech: vec![Span { begin_ms: 100, end_ms: 300 }],
            word: Vec::new(),
            network: None,
            echo: None,
        };
        let trial = Trial { name: "car-10/backchannel-001".to_owned(), label, caller: vec![0; 4000] };
        write(&folder, &trial).unwrap();
        let back = read(&folder).unwrap();
        assert_eq!((back.len(), &back[0].name, &back[0].label), (1, &trial.name, &trial.label));
        assert_eq!(back[0].caller.len(), 4000);
        let label = folder.join("car-10/backchannel-001.toml");
        fs::write(&label, fs::read_to_string(&label).unwrap().replace("300", "900")).unwrap();
        let error = read(&folder).unwrap_err();
        assert!(error.to_string().contains("within the sound's 500 ms"), "{error}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
