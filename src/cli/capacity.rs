//! Whether the configured number of calls fits into what the configuration and the system leave for them.

use crate::config::Config;

/// What to do if the ports for media carry fewer calls than may come; `None` if they carry them all.
pub(super) fn shortage_of_ports(config: &Config) -> Option<String> {
    let (ports, calls) = (config.rtp.ports, config.limits.calls);
    let first_even = usize::from(ports.first()).next_multiple_of(2);
    let carried = (usize::from(ports.last()) + 1).saturating_sub(first_even) / PORTS_PER_CALL;
    (carried < calls).then(|| {
        format!(
            "[rtp] ports = {ports} carry {carried} of [limits] calls = {calls}, the rest gets 503; widen ports (two for \
             each call) or lower calls"
        )
    })
}

/// An even one for RTP and the next for RTCP.
const PORTS_PER_CALL: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PortRange;

    #[test]
    fn ports_carry_a_call_for_each_pair_that_begins_even() {
        let mut config = Config::default();
        assert_eq!(shortage_of_ports(&config), None);
        for (first, last, carried) in [(46_000, 46_010, 5), (46_001, 46_005, 2), (46_000, 46_001, 1)] {
            config.rtp.ports = PortRange::new(first, last).unwrap();
            config.limits.calls = carried;
            assert_eq!(shortage_of_ports(&config), None, "{first}-{last}");
            config.limits.calls = carried + 1;
            let told = shortage_of_ports(&config).unwrap();
            assert!(told.starts_with(&format!("[rtp] ports = {first}-{last} carry {carried} of")), "{told}");
        }
    }
}
