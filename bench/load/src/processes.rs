//! CPU time and memory of processes, from `/proc`.

use std::fs;
use std::time::Duration;

/// Ended backends are gone by then.
const SETTLED_WITHIN: Duration = Duration::from_millis(500);

/// Seconds that a tick of `/proc/PID/stat` stands for: `sysconf(_SC_CLK_TCK)` is 100 on Linux.
const TICK: f64 = 0.01;

/// Fields of `/proc/PID/stat` after the name of the program.
fn fields(process: &str) -> Option<Vec<u64>> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, after) = stat.rsplit_once(") ")?;
    Some(after.split(' ').skip(1).map(|field| field.parse().unwrap_or(0)).collect())
}

/// CPU seconds of the process and of its ended children.
pub fn cpu(process: u32) -> f64 {
    let fields = fields(&process.to_string()).unwrap_or_default();
    // utime, stime, cutime, cstime: 14 to 17 of proc(5), which counts from pid.
    fields.get(10..14).map_or(0.0, |times| times.iter().sum::<u64>() as f64 * TICK)
}

/// CPU seconds of a postmaster and of all its children, running or ended.
pub fn cpu_of_cluster(postmaster: u32) -> f64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let children = processes
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|process| {
            let parent = fields(&process.to_string()).and_then(|fields| fields.first().copied());
            parent == Some(postmaster.into())
        });
    cpu(postmaster) + children.map(cpu).sum::<f64>()
}

/// The same once backends on their way out are gone: in between they are in neither place, not
/// among the children any more and not yet in the sum of the ended ones.
pub fn settled_cpu_of_cluster(postmaster: u32) -> f64 {
    std::thread::sleep(SETTLED_WITHIN);
    cpu_of_cluster(postmaster)
}

/// `VmRSS` or `VmHWM` in MB.
pub fn memory_mb(process: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) * 1024.0 / 1e6
}
