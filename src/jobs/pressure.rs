//! Looks at how loaded the gateway itself is, and says what is left out: `[server.shed]`.

use crate::limits::{Pressure, Readings, Shedder};
use crate::runtime::Edge;
use crate::telemetry::{PressureOf, resident_bytes_now};
use pingora_core::server::ShutdownWatch;
use std::sync::Arc;
use std::time::Duration;

/// How often it looks: often enough that a burst of calls does not take much more than there is.
const EVERY: Duration = Duration::from_millis(100);
/// How often it looks whether it is to look.
const IDLE: Duration = Duration::from_secs(1);

/// Looks until the process ends.
pub async fn watch(edge: &Arc<Edge>, mut shutdown: ShutdownWatch) {
    let mut shedder = Shedder::default();
    loop {
        let is_on = edge.runtime().edge.shed.is_some();
        tokio::select! {
            () = tokio::time::sleep(if is_on { EVERY } else { IDLE }) => look(edge, &mut shedder),
            _ = shutdown.changed() => return,
        }
    }
}

fn look(edge: &Edge, shedder: &mut Shedder) {
    let runtime = edge.runtime();
    let metrics = &edge.metrics;
    let before = shedder.stage();
    let pressure = match &runtime.edge.shed {
        Some(rules) => {
            let count = |gauge: &prometheus::IntGauge| u64::try_from(gauge.get()).unwrap_or(0);
            let seen = Readings {
                memory: if rules.memory_max.is_some() { resident_bytes_now().unwrap_or(0) } else { 0 },
                lag: edge.overload.take_lag(),
                calls: count(&metrics.requests_in_flight),
                connections: count(&metrics.connections_open),
            };
            shedder.note(seen, rules, edge.now())
        }
        None => {
            *shedder = Shedder::default();
            Pressure::default()
        }
    };
    let stage = shedder.stage();
    edge.overload.set_stage(stage);
    let overload = &metrics.routes.overload;
    overload.stage.set(i64::from(stage as u8));
    let percent = |share: f32| (share * 100.0) as i64;
    overload.pressure.set(PressureOf::Memory, percent(pressure.memory));
    overload.pressure.set(PressureOf::Lag, percent(pressure.lag));
    overload.pressure.set(PressureOf::Calls, percent(pressure.calls));
    overload.pressure.set(PressureOf::Connections, percent(pressure.connections));
    if stage != before {
        let (what, share) = pressure.worst();
        log::warn!("shedding: {} ({what} at {} % of its bound)", stage.as_str(), percent(share));
    }
}
