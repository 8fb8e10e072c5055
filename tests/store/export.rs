//! Exports: every row once, in both forms.

use crate::harness::{DAY_ONE, Place, calls, on_both};
use std::sync::Arc;
use tidegate::store::export::{Asked, Export, Format};
use tidegate::store::{CallQuery, Dimension, Store, UsageQuery};

on_both!(every_call_is_exported_once, usage_is_exported_with_its_groups);

async fn whole(store: &Arc<dyn Store>, asked: Asked, format: Format) -> (String, usize) {
    let mut export = Export::new(store.clone(), asked, format);
    let (mut text, mut pages) = (String::new(), 0);
    while let Some(page) = export.next().await.unwrap() {
        text.push_str(std::str::from_utf8(&page).unwrap());
        pages += 1;
    }
    (text, pages)
}

async fn every_call_is_exported_once(place: Place) {
    let opened = place.open().await;
    let mut made = calls(1, 50);
    made[7].model = Some(Arc::from("=cmd|' /C calc'!A0,\"x\""));
    opened.store.append_calls(&made).await.unwrap();
    let query =
        CallQuery { from_ms: DAY_ONE, to_ms: DAY_ONE + 86_400_000, limit: 20, ..CallQuery::default() };
    let (lines, pages) = whole(&opened.store, Asked::Calls(query.clone()), Format::Jsonl).await;
    assert_eq!((lines.lines().count(), pages), (50, 3));
    for (line, call) in lines.lines().zip(made.iter().rev()) {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(row["id"], call.id.to_string());
        assert_eq!(row["model"].as_str(), call.model.as_deref());
        assert_eq!(row["cost_pico"].as_u64(), call.cost.map(|cost| cost.pico()));
    }
    let (csv, _) = whole(&opened.store, Asked::Calls(query), Format::Csv).await;
    let rows: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(rows.len(), 52, "a head, fifty rows, and nothing after the last line's end");
    let width = rows[0].split(',').count();
    assert!(rows[0].contains("upstream_model"));
    assert_eq!(rows[1].split(',').count(), width);
    assert!(csv.contains("\"'=cmd|' /C calc'!A0,\"\"x\"\"\""), "{csv}");
}

async fn usage_is_exported_with_its_groups(place: Place) {
    let opened = place.open().await;
    opened.store.append_calls(&calls(1, 50)).await.unwrap();
    let group_by = vec![Dimension::Tenant];
    let query = UsageQuery {
        from_ms: DAY_ONE,
        to_ms: DAY_ONE + 86_400_000,
        group_by,
        limit: 1,
        ..UsageQuery::default()
    };
    let (csv, pages) = whole(&opened.store, Asked::Usage(query), Format::Csv).await;
    let rows: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!((rows.len(), pages), (4, 2));
    assert!(rows[0].starts_with("tenant,calls,"), "{csv}");
    assert!(
        rows[0].ends_with(",cost_usd,charged_usd")
            && rows[1].starts_with("ten_0,25,")
            && rows[1].ends_with(",0.03,0.031350000009"),
        "{csv}"
    );
}
