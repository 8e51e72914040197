//! `/metrics`: what each operation did and cost in this isolate, in Prometheus' text format.

use std::{cell::RefCell, collections::BTreeMap, fmt::Write};

use selvedge_durable_objects::{ledger::Ledger, matrix_error::MatrixError};

use crate::{answer::Text, context::Ctx, extract::AdminToken, router::Incoming};

#[derive(Default)]
struct Totals {
    requests: u64,
    cost: Ledger,
}

thread_local! {
    static TOTALS: RefCell<BTreeMap<(&'static str, String, u16), Totals>> = const { RefCell::new(BTreeMap::new()) };
}

/// Adds one finished request to the totals.
pub fn record(template: &'static str, method: &str, status: u16, cost: Ledger) {
    TOTALS.with_borrow_mut(|all| {
        let totals = all.entry((template, method.to_owned(), status)).or_default();
        totals.requests = totals.requests.saturating_add(1);
        totals.cost = totals.cost.plus(cost);
    });
}

/// `GET /metrics`
pub async fn export(_: Ctx, _: AdminToken, _: Incoming) -> Result<Text, MatrixError> {
    Ok(Text { content_type: "text/plain; version=0.0.4", body: TOTALS.with_borrow(render) })
}

fn render(all: &BTreeMap<(&'static str, String, u16), Totals>) -> String {
    type Value = fn(&Totals) -> u64;
    let counters: [(&str, &str, Value); 4] = [
        ("selvedge_requests_total", "Requests answered.", |totals| totals.requests),
        ("selvedge_actor_calls_total", "Calls to Durable Objects.", |totals| totals.cost.calls),
        ("selvedge_rows_read_total", "SQL rows read.", |totals| totals.cost.rows_read),
        ("selvedge_rows_written_total", "SQL rows written.", |totals| totals.cost.rows_written),
    ];
    let mut text = String::new();
    for (name, help, value) in counters {
        // Writing to a string does not fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
        for ((template, method, status), totals) in all {
            let number = value(totals);
            let _ = writeln!(
                text,
                "{name}{{route=\"{template}\",method=\"{method}\",status=\"{status}\"}} {number}"
            );
        }
    }
    text
}
