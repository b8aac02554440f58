//! Settings of the private cluster, scaled to the machine: docs/decisions/0001-storage-layout.md.

use std::fs;

const MIB: u64 = 1 << 20;

/// Memory that this process may use: the machine's, or its control group's where that is less.
/// 1 GiB where neither can be read.
pub fn memory_bytes() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_of(&text));
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse().ok());
    machine.into_iter().chain(group).min().unwrap_or(1 << 30)
}

fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// The cluster's `postgresql.conf`. `compression` is `lz4` where the binaries have it.
pub fn configuration(memory_bytes: u64, compression: &str) -> String {
    let share = |part: u64, low: u64, high: u64| (memory_bytes / part / MIB).clamp(low, high);
    let shared_buffers = share(8, 64, 4096);
    let cache = share(2, 128, 1 << 20);
    let maintenance = share(32, 32, 512);
    let work = share(512, 4, 32);
    format!(
        "# Written by bhn-fhir at each start. Settings of your own go into local.conf here.\n\
         listen_addresses = ''\n\
         port = 5432\n\
         max_connections = 120\n\
         unix_socket_permissions = 0700\n\
         shared_buffers = {shared_buffers}MB\n\
         effective_cache_size = {cache}MB\n\
         maintenance_work_mem = {maintenance}MB\n\
         work_mem = {work}MB\n\
         # Full-page images after a checkpoint are most of the WAL: few checkpoints, compressed.\n\
         wal_level = replica\n\
         max_wal_size = 1GB\n\
         min_wal_size = 128MB\n\
         checkpoint_timeout = 30min\n\
         wal_compression = {compression}\n\
         default_toast_compression = {toast}\n\
         synchronous_commit = on\n\
         # Ordered index scans must win over bitmaps of a common key.\n\
         random_page_cost = 1.1\n\
         effective_io_concurrency = 100\n\
         jit = off\n\
         # Statements are short, and containers give little shared memory.\n\
         max_parallel_workers_per_gather = 0\n\
         autovacuum_naptime = 20s\n\
         autovacuum_vacuum_cost_limit = 1000\n\
         # The log never holds the content of resources: no statements, no row values.\n\
         log_min_messages = log\n\
         log_min_error_statement = panic\n\
         log_error_verbosity = terse\n\
         log_checkpoints = off\n\
         timezone = 'UTC'\n\
         log_timezone = 'UTC'\n\
         datestyle = 'iso, ymd'\n\
         include_if_exists = 'local.conf'\n",
        toast = if compression == "lz4" { "lz4" } else { "pglz" },
    )
}

/// What `local.conf` holds until the operator edits it.
pub const LOCAL_CONFIGURATION: &str =
    "# Settings of your own; they win over postgresql.conf, which bhn-fhir writes.\n";

/// Settings that `local.conf` cannot change: they are given on the command line, which wins.
/// Without them an acknowledged write could be lost, or somebody else let in.
pub const FIXED: [&str; 4] = ["fsync=on", "full_page_writes=on", "listen_addresses=", "port=5432"];

/// Who may connect: whoever may enter the socket's folder.
pub const HOST_BASED_AUTHENTICATION: &str = "local all all trust\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_kernels_table() {
        assert_eq!(total_of("MemTotal:       24587644 kB\nMemFree: 1 kB"), Some(24587644 << 10));
        assert_eq!(total_of("nothing"), None);
    }

    #[test]
    fn settings_follow_the_memory_within_bounds() {
        let small = configuration(256 * MIB, "lz4");
        assert!(small.contains("shared_buffers = 64MB\n"), "{small}");
        let large = configuration(1 << 40, "pglz");
        assert!(large.contains("shared_buffers = 4096MB\n"), "{large}");
        assert!(large.contains("wal_compression = pglz\n"), "{large}");
        assert!(!large.contains("fsync = off"));
    }
}
