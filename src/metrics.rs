//! `/metrics`: what was done and what it cost in this isolate, in Prometheus' text format.
//!
//! By route, with all that the answer waited for; and by actor and command, with what each did by itself. Where the
//! platform runs actors in another isolate than the edge, the latter are not seen.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt::Write,
};

use selvedge_durable_objects::{
    ledger::{self, Ledger, Totals},
    matrix_error::MatrixError,
};

use crate::{answer::Text, context::Ctx, extract::AdminToken, router::Incoming};

thread_local! {
    /// By what metrics call labels.
    static BY_ROUTE: RefCell<BTreeMap<String, Totals>> = const { RefCell::new(BTreeMap::new()) };
    static OPEN_REQUESTS: Cell<u64> = const { Cell::new(0) };
}

/// A request that is being answered. It counts as open until this is dropped.
pub struct OpenRequest(());

impl OpenRequest {
    /// Counts one more.
    pub fn new() -> Self {
        OPEN_REQUESTS.set(OPEN_REQUESTS.get().saturating_add(1));
        Self(())
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        OPEN_REQUESTS.set(OPEN_REQUESTS.get().saturating_sub(1));
    }
}

/// Adds one finished request to the totals.
pub fn record(template: &'static str, method: &str, status: u16, cost: Ledger) {
    let labels = format!("route=\"{template}\",method=\"{method}\",status=\"{status}\"");
    BY_ROUTE.with_borrow_mut(|all| all.entry(labels).or_default().add(cost));
}

/// `GET /metrics`
pub async fn export(_: Ctx, _: AdminToken, _: Incoming) -> Result<Text, MatrixError> {
    let mut text = String::new();
    let routes = BY_ROUTE.with_borrow(|routes| {
        routes.iter().map(|(labels, totals)| (labels.clone(), *totals)).collect::<Vec<_>>()
    });
    render_totals(
        &mut text,
        [
            ("selvedge_requests_total", "Requests answered."),
            ("selvedge_actor_calls_total", "Calls to Durable Objects that requests waited for."),
            ("selvedge_rows_read_total", "SQL rows read."),
            ("selvedge_rows_written_total", "SQL rows written."),
        ],
        &routes,
    );
    let commands = ledger::with_totals(|actors| {
        let labelled = actors.iter().flat_map(|(actor, commands)| {
            commands.iter().map(|(command, totals)| {
                (format!("actor=\"{}\",command=\"{command}\"", actor.binding()), *totals)
            })
        });
        labelled.collect::<Vec<_>>()
    });
    render_totals(
        &mut text,
        [
            (
                "selvedge_commands_total",
                "Commands that actors carried out, and what they did in the background.",
            ),
            ("selvedge_command_actor_calls_total", "Calls to other Durable Objects."),
            ("selvedge_command_rows_read_total", "SQL rows read, those of called actors included."),
            ("selvedge_command_rows_written_total", "SQL rows written, those of called actors included."),
        ],
        &commands,
    );
    render(
        &mut text,
        "selvedge_open_requests",
        "gauge",
        "Requests in work, this one included.",
        OPEN_REQUESTS.get(),
    );
    #[cfg(target_arch = "wasm32")]
    render(&mut text, "selvedge_memory_bytes", "gauge", "Memory of the WebAssembly instance.", memory());
    Ok(Text { content_type: "text/plain; version=0.0.4", body: text })
}

/// How much memory this instance has taken, in bytes. It is never given back.
#[cfg(target_arch = "wasm32")]
fn memory() -> u64 {
    const PAGE: u64 = 65_536;
    u64::try_from(core::arch::wasm32::memory_size::<0>()).unwrap_or(u64::MAX).saturating_mul(PAGE)
}

/// Four counters for each of `totals`, which have their labels with them.
fn render_totals(text: &mut String, names: [(&str, &str); 4], totals: &[(String, Totals)]) {
    let values: [fn(&Totals) -> u64; 4] = [
        |totals| totals.count,
        |totals| totals.cost.calls,
        |totals| totals.cost.rows_read,
        |totals| totals.cost.rows_written,
    ];
    for ((name, help), value) in names.into_iter().zip(values) {
        head(text, name, "counter", help);
        for (labels, totals) in totals {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name}{{{labels}}} {}", value(totals));
        }
    }
}

fn render(text: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    head(text, name, kind, help);
    let _ = writeln!(text, "{name} {value}");
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
