//! The frames of a pcap or pcapng file, with their times and link types.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _};
use std::path::Path;
use std::time::Duration;

use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::{Block, PcapNgReader};
use pcap_file::{DataLink, PcapError, TsResolution};

use super::ReadError;

/// One frame as the file has it.
#[derive(Debug)]
pub(super) struct RawFrame {
    pub(super) at: Duration,
    pub(super) link: DataLink,
    /// Whether the file keeps only its beginning.
    pub(super) is_cut: bool,
    pub(super) bytes: Vec<u8>,
}

/// A file that is being read.
pub(super) enum Frames {
    Pcap { reader: PcapReader<BufReader<File>>, link: DataLink, resolution: TsResolution },
    PcapNg { reader: PcapNgReader<BufReader<File>>, last: Duration },
}

impl Frames {
    pub(super) fn open(path: &Path) -> Result<Self, ReadError> {
        let file_error = |error| ReadError::File { path: path.to_owned(), error };
        let format = |what| ReadError::Format { path: path.to_owned(), what };
        let mut file = File::open(path).map_err(file_error)?;
        if file.metadata().map_err(file_error)?.is_dir() {
            return Err(format("is a directory, not a capture"));
        }
        let mut magic = [0; 4];
        let read = read_up_to(&mut file, &mut magic).map_err(file_error)?;
        file.rewind().map_err(file_error)?;
        match (read, magic) {
            (0, _) => Err(format("is empty")),
            (4, PCAPNG) => {
                let reader = PcapNgReader::new(BufReader::new(file));
                let reader = reader.map_err(|_| format("is cut in its first block"))?;
                Ok(Self::PcapNg { reader, last: Duration::ZERO })
            }
            (
                4,
                [0xd4, 0xc3, 0xb2, 0xa1]
                | [0xa1, 0xb2, 0xc3, 0xd4]
                | [0x4d, 0x3c, 0xb2, 0xa1]
                | [0xa1, 0xb2, 0x3c, 0x4d],
            ) => {
                let reader = PcapReader::new(BufReader::new(file));
                let reader = reader.map_err(|_| format("is cut in its header"))?;
                let header = reader.header();
                Ok(Self::Pcap { reader, link: header.datalink, resolution: header.ts_resolution })
            }
            (4, [0x1f, 0x8b, ..]) => Err(format("is compressed; unpack it with gunzip first")),
            _ => Err(format("neither a pcap nor a pcapng file")),
        }
    }

    /// The next frame; an error tells how the file is broken here.
    pub(super) fn next_frame(&mut self) -> Result<Option<RawFrame>, String> {
        match self {
            Self::Pcap { reader, link, resolution } => {
                let Some(packet) = reader.next_raw_packet() else { return Ok(None) };
                let packet = packet.map_err(said)?;
                let nanos_each = match resolution {
                    TsResolution::MicroSecond => 1_000,
                    TsResolution::NanoSecond => 1,
                };
                let fraction = Duration::from_nanos(u64::from(packet.ts_frac) * nanos_each);
                Ok(Some(RawFrame {
                    at: Duration::from_secs(packet.ts_sec.into()) + fraction,
                    link: *link,
                    is_cut: packet.incl_len < packet.orig_len,
                    bytes: packet.data.into_owned(),
                }))
            }
            Self::PcapNg { reader, last } => next_of_pcapng(reader, last),
        }
    }
}

fn next_of_pcapng(
    reader: &mut PcapNgReader<BufReader<File>>,
    last: &mut Duration,
) -> Result<Option<RawFrame>, String> {
    loop {
        let Some(block) = reader.next_block() else { return Ok(None) };
        let (interface, at, length, bytes) = match block.map_err(said)? {
            Block::EnhancedPacket(packet) => {
                (packet.interface_id, Some(packet.timestamp), packet.original_len, packet.data.into_owned())
            }
            Block::SimplePacket(packet) => (0, None, packet.original_len, packet.data.into_owned()),
            // Names, statistics, keys, and blocks that nobody writes any more.
            _ => continue,
        };
        let Some(interface) = reader.interfaces().get(interface as usize) else {
            return Err("a packet of an interface that the file does not describe".to_owned());
        };
        // The reader takes every unit for a nanosecond.
        *last = at.map_or(*last, |units| time_of(interface, units.as_nanos() as u64));
        let is_cut = bytes.len() < length as usize;
        return Ok(Some(RawFrame { at: *last, link: interface.linktype, is_cut, bytes }));
    }
}

/// A time in the interface's own units (if_tsresol, if_tsoffset), microseconds if it names none.
fn time_of(interface: &InterfaceDescriptionBlock<'_>, units: u64) -> Duration {
    let (mut resolution, mut offset_s) = (DEFAULT_RESOLUTION, 0);
    for option in &interface.options {
        match option {
            InterfaceDescriptionOption::IfTsResol(value) => resolution = *value,
            InterfaceDescriptionOption::IfTsOffset(value) => offset_s = *value,
            _ => {}
        }
    }
    let exponent = u32::from(resolution & 0x7f);
    let base: u128 = if resolution & 0x80 == 0 { 10 } else { 2 };
    let units_per_s = base.checked_pow(exponent).unwrap_or(u128::MAX);
    let nanos = u128::from(units).saturating_mul(1_000_000_000) / units_per_s;
    let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
    Duration::from_nanos(nanos).saturating_add(Duration::from_secs(offset_s))
}

fn said(error: PcapError) -> String {
    match error {
        PcapError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the file ends in the middle of a packet".to_owned()
        }
        PcapError::IoError(error) => error.to_string(),
        PcapError::IncompleteBuffer => "the file ends in the middle of a packet".to_owned(),
        PcapError::InvalidField(what) => format!("broken: {what}"),
        PcapError::Utf8Error(_) | PcapError::FromUtf8Error(_) => "broken text in a block".to_owned(),
        PcapError::InvalidInterfaceId(id) => format!("interface {id} is not described"),
    }
}

fn read_up_to(file: &mut File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read(&mut bytes[read..])? {
            0 => break,
            count => read += count,
        }
    }
    Ok(read)
}

const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// 10 to the power of -6.
const DEFAULT_RESOLUTION: u8 = 6;
