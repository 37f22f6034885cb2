//! Settings of the resolver.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

use super::cache::CacheLimits;
use super::zone::Zone;

/// Where the system keeps its name servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Port of name servers.
const PORT: u16 = 53;

/// How names are resolved; comments name Kamailio's global parameters.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DnsConfig {
    /// Whether NAPTR records are asked for (`dns_try_naptr`).
    pub naptr: bool,
    /// Whether SRV records are asked for.
    pub srv: bool,
    /// Whether the next target is tried when one fails (`use_dns_failover`).
    pub failover: bool,
    /// Whether IPv6 addresses come first (`dns_cache_flags` 4).
    pub prefer_ipv6: bool,
    /// Name servers; those of `/etc/resolv.conf` when empty.
    pub nameservers: Vec<SocketAddr>,
    /// Wait for one reply (`dns_retr_time`).
    pub timeout_ms: u64,
    /// Further tries of each name server (`dns_retr_no`).
    pub retries: u32,
    /// Longest time for one next hop, all queries together.
    pub total_ms: u64,
    /// Answers kept at most (`dns_cache_mem`).
    pub cache_entries: usize,
    /// Shortest time that records are kept, in seconds (`dns_cache_min_ttl`).
    pub cache_min_ttl_s: u32,
    /// Longest time (`dns_cache_max_ttl`).
    pub cache_max_ttl_s: u32,
    /// Longest time for "no such name" (`dns_cache_negative_ttl`).
    pub cache_negative_ttl_s: u32,
    /// Time for "no answer".
    pub cache_failure_ttl_s: u32,
    /// File of host names; none when empty.
    pub hosts_file: PathBuf,
    /// Host names with their addresses, before the file.
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
    /// Records as in zone files.
    pub records: Vec<String>,
}

impl Default for DnsConfig {
    fn default() -> Self {
        Self {
            naptr: true,
            srv: true,
            failover: true,
            prefer_ipv6: false,
            nameservers: Vec::new(),
            timeout_ms: 2_000,
            retries: 1,
            total_ms: 6_000,
            cache_entries: 10_000,
            cache_min_ttl_s: 0,
            cache_max_ttl_s: 86_400,
            cache_negative_ttl_s: 60,
            cache_failure_ttl_s: 5,
            hosts_file: "/etc/hosts".into(),
            hosts: BTreeMap::new(),
            records: Vec::new(),
        }
    }
}

impl DnsConfig {
    /// What is known without asking. A hosts file that cannot be read holds nothing.
    ///
    /// # Errors
    /// Names the record that cannot be read.
    pub fn zone(&self) -> Result<Zone, String> {
        let mut zone = Zone::default();
        for line in &self.records {
            zone.add_record(line)
                .map_err(|e| format!("dns.records: {e}"))?;
        }
        for (name, addrs) in &self.hosts {
            for addr in addrs {
                if !zone.add_address(name, *addr) {
                    return Err(format!("dns.hosts: {name:?} is no host name"));
                }
            }
        }
        let mut file = Zone::default();
        file.add_hosts_file(&std::fs::read_to_string(&self.hosts_file).unwrap_or_default());
        zone.add_unknown(file);
        Ok(zone)
    }

    pub(super) fn cache_limits(&self) -> CacheLimits {
        CacheLimits {
            entries: self.cache_entries,
            min_ttl_s: self.cache_min_ttl_s,
            max_ttl_s: self.cache_max_ttl_s,
            negative_ttl_s: self.cache_negative_ttl_s,
            failure_ttl_s: self.cache_failure_ttl_s,
        }
    }

    /// The name servers: those of the settings, else those of the system.
    #[must_use]
    pub fn servers(&self) -> Vec<SocketAddr> {
        if !self.nameservers.is_empty() {
            return self.nameservers.clone();
        }
        let text = std::fs::read(RESOLV_CONF).unwrap_or_default();
        let system = resolv_conf::Config::parse(text).unwrap_or_default();
        let addresses = system.nameservers.iter().map(IpAddr::from);
        addresses.map(|ip| SocketAddr::new(ip, PORT)).collect()
    }
}
