//! The host's processor and memory, through sysinfo.

use nunect_core::HostReport;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// The name of this host, if it has one.
#[must_use]
pub fn host_name() -> Option<String> {
    System::host_name().ok()
}

/// Measures the machine. It never looks at processes, which would cost a hundred times as much.
pub struct HostSensor {
    /// Absent on a platform that sysinfo does not know: then nothing is ever reported.
    system: Option<System>,
    samples: u64,
}

impl Default for HostSensor {
    fn default() -> Self {
        Self::new()
    }
}

impl HostSensor {
    /// A sensor that has measured nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { system: System::new_with_specifics(RefreshKind::nothing()).ok(), samples: 0 }
    }

    /// Measures now.
    ///
    /// Processor use is that of all cores since the sample before, absent the first time; closer
    /// together than 200 ms it repeats the sample before
    /// ([`sysinfo::MINIMUM_CPU_UPDATE_INTERVAL`]). Memory in use is what is not available.
    pub fn sample(&mut self) -> HostReport {
        let Some(system) = &mut self.system else { return HostReport::default() };
        system.refresh_specifics(
            RefreshKind::nothing()
                .with_cpu(CpuRefreshKind::nothing().with_usage())
                .with_memory(MemoryRefreshKind::nothing().with_ram()),
        );
        self.samples += 1;
        let total = system.total_memory();
        let used = total.saturating_sub(system.available_memory());
        #[allow(clippy::cast_precision_loss, reason = "a percentage needs no 53 bits")]
        let memory_percent = (total > 0).then(|| (used as f64 / total as f64 * 100.0) as f32);
        HostReport { cpu_percent: (self.samples > 1).then(|| system.global_cpu_usage()), memory_percent }
    }
}
