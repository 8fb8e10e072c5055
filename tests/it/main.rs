//! One binary of tests through sockets: the real gateway as a process of its own, simulators as its
//! upstreams, clients that count bytes. Run by `cargo nextest run --test it`, each test in its own
//! process; names begin with the number of the acceptance scenario they hold.
//!
//! Not here: tests of one module (beside it in `src`) and of the floor plan (`tests/floorplan.rs`).
//! How to write one: [`harness`].
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests and their helpers fail by panicking"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "tests measure real time from outside, and their tasks end with the runtime of the test"
)]

#[path = "../matrix/facts.rs"]
mod facts;
#[expect(dead_code, reason = "shared with the translation matrix, which uses all of it")]
#[path = "../matrix/frames.rs"]
mod frames;
mod harness;
#[expect(dead_code, reason = "shared with the translation matrix, which uses all of it")]
#[path = "../matrix/made/mod.rs"]
mod made;
#[path = "../matrix/walk/mod.rs"]
mod walk;

mod admin_login;
mod canaries;
mod client_certificates;
mod corpus_replay;
mod egress;
mod fetch_media;
mod forward_lane;
mod overload_queue;
mod overload_shed;
mod quickstart;
mod raw_http;
mod service_tier;
mod store_ledger;
mod stored_responses;
mod t00_harness;
mod t01_packet_boundaries;
mod t02_event_forms;
mod t03_stream_usage;
mod t05_usage_in_streams;
mod t06_other_form;
mod t06_unbuffered;
mod t07_tool_calls;
mod t09_stop_reasons;
mod t10_before_content;
mod t11_after_content;
mod t13_keepalive;
mod t14_slow_readers;
mod t15_client_leaves;
mod t17_charge_of_disconnect;
mod t18_concurrency;
mod t19_failover_table;
mod t20_silent_upstreams;
mod t21_stream_deadlines;
mod t22_retry_after;
mod t23_attempts;
mod t24_cooldown;
mod t25_retranslated;
mod t28_bad_input;
mod t28_bad_translated;
mod t28_errors;
mod t28_nonsense;
mod t29_credentials;
mod t29_http2_upstream;
mod t29_keepalive_race;
mod t31_same_bytes;
mod t32_model_alias;
mod t33_claude_code;
mod t33_hosted_claude;
mod t33_hosted_clients;
mod t34_counts;
mod t34_other_dialects;
mod t35_models;
mod t36_codings;
mod t37_sizes;
mod t39_conversations;
mod t39_failover;
mod t39_restart;
mod t39_stored_bounds;
mod t39_stored_here;
mod t40_thinking;
mod t42_schemas;
mod t43_cost;
mod t43_margin;
mod t45_budgets;
mod t46_shared_limits;
mod t48_two_nodes;
mod t50_drain;
mod t50_reload;
mod t51_upgrade;
mod t52_routing;
mod t53_examples;
mod t54_hedging;
mod t55_explain;
mod t56_hold;
mod t57_continuation;
mod t58_resume;
mod t59_affinity;
mod t60_probes;
mod t61_mirror;
mod t62_coalesce;
mod vectors;
