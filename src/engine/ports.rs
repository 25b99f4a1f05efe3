//! The RTP ports of a shard. Each shard owns a part of the configured range, so that no lock is needed.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};

use super::sockets::{DatagramSocket, Purpose};

/// Free even ports; the odd port above each is its RTCP port (RFC 3550 11). The one that was freed longest ago is
/// used first, so that late packets of an old call do not reach a new one.
#[derive(Debug)]
pub struct PortPool {
    free: VecDeque<u16>,
    size: usize,
}

impl PortPool {
    /// The pools of `shards` shards over the ports `first..=last`, dealt in turn.
    pub fn split(first: u16, last: u16, shards: usize) -> Vec<Self> {
        let mut pools: Vec<Self> =
            (0..shards.max(1)).map(|_| Self { free: VecDeque::new(), size: 0 }).collect();
        let even = u32::from(first).next_multiple_of(2);
        let pairs = (even..u32::from(last)).step_by(2).filter_map(|port| u16::try_from(port).ok());
        let count = pools.len();
        for (index, port) in pairs.enumerate() {
            let pool = &mut pools[index % count];
            pool.free.push_back(port);
            pool.size += 1;
        }
        pools
    }

    /// Ports that are free now.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Ports that there are in all.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Binds a pair on `address`. A port that another process holds goes to the end of the queue, and the next is
    /// tried, a few times.
    pub fn bind(&mut self, address: IpAddr) -> Result<MediaSockets, PortError> {
        let mut last = None;
        for _ in 0..BIND_ATTEMPTS.min(self.free.len()) {
            let Some(port) = self.free.pop_front() else { break };
            match MediaSockets::bind(address, port) {
                Ok(sockets) => return Ok(sockets),
                Err(error) => {
                    self.free.push_back(port);
                    last = Some(error);
                }
            }
        }
        last.map_or(Err(PortError::Exhausted), |error| Err(PortError::Bind(error)))
    }

    /// Closes a pair and keeps its port for later.
    pub fn release(&mut self, sockets: MediaSockets) {
        self.free.push_back(sockets.port());
    }
}

/// The two sockets of a leg.
#[derive(Debug)]
pub struct MediaSockets {
    /// Even port: RTP.
    pub rtp: DatagramSocket,
    /// Odd port: RTCP.
    pub rtcp: DatagramSocket,
}

impl MediaSockets {
    fn bind(address: IpAddr, port: u16) -> io::Result<Self> {
        let rtp = DatagramSocket::bind(SocketAddr::new(address, port), Purpose::Media)?;
        let rtcp = DatagramSocket::bind(SocketAddr::new(address, port + 1), Purpose::Media)?;
        Ok(Self { rtp, rtcp })
    }

    /// The even port.
    pub fn port(&self) -> u16 {
        self.rtp.local().port()
    }
}

/// Why no pair of ports could be had.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Every port of the pool is in use by a call.
    #[error("every RTP port is in use: widen [rtp] ports or lower [limits] calls")]
    Exhausted,
    /// Ports were free in the pool but could not be bound.
    #[error("no RTP port can be bound: {0}")]
    Bind(io::Error),
}

/// So many ports held by other processes in a row mean a wrong range rather than bad luck.
const BIND_ATTEMPTS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn only_even_ports_with_their_odd_neighbour_inside_the_range_are_dealt() {
        let pools = PortPool::split(10_001, 10_010, 2);
        let ports: Vec<Vec<u16>> = pools.iter().map(|pool| pool.free.iter().copied().collect()).collect();
        assert_eq!(ports, [vec![10_002, 10_006], vec![10_004, 10_008]]);
        assert_eq!(PortPool::split(65_534, 65_535, 1)[0].free, [65_534]);
    }

    #[test]
    fn the_port_freed_longest_ago_comes_first_and_a_foreign_one_is_passed_over() {
        let mut pool = PortPool::split(39_200, 39_205, 1).remove(0);
        let foreign = DatagramSocket::bind(SocketAddr::new(HOME, 39_200), Purpose::Media);
        let first = pool.bind(HOME).unwrap();
        assert_ne!(first.port(), 39_200);
        drop(foreign);
        pool.release(first);
        assert_eq!(pool.free, [39_204, 39_200, 39_202]);
        assert_eq!(pool.bind(HOME).unwrap().port(), 39_204);
    }

    #[test]
    fn an_empty_pool_says_so() {
        let mut pool = PortPool::split(39_300, 39_301, 1).remove(0);
        let only = pool.bind(HOME).unwrap();
        assert!(matches!(pool.bind(HOME), Err(PortError::Exhausted)));
        pool.release(only);
        assert_eq!(pool.free(), 1);
    }
}
