//! A C compiler sees the public structs as the library does.

#![cfg(target_pointer_width = "64")]

use std::mem::{offset_of, size_of};
use std::path::Path;
use std::process::Command;

use kprod::ffi::*;

/// What `tests/abi/layout.c` prints, as Rust has it.
fn layout() -> String {
    let mut text = String::new();
    macro_rules! layout {
        ($($type:ident { $($field:ident),* })*) => {$(
            text += &format!("{} {}\n", stringify!($type), size_of::<$type>());
            $(text += &format!(
                "{}.{} {}\n", stringify!($type), stringify!($field), offset_of!($type, $field)
            );)*
        )*};
    }
    layout! {
        kprod_header_t { key, key_len, value, value_len }
        kprod_record_t {
            key, key_len, value, value_len, headers, header_count, partition, timestamp_ms, tag, topic, reserved0,
            topic_name, topic_name_len, reserved
        }
        kprod_delivery_t {
            kind, error, tag, topic, partition, offset, timestamp_ms, timestamp_type, count, flags, reserved0, detail,
            log_start_offset, reserved
        }
        kprod_partition_request_t {
            topic_name, topic_name_len, key, key_len, value, value_len, available, available_count, partition_count,
            topic, reserved0, reserved
        }
        kprod_packed_t {
            tag, timestamp_ms, topic, partition, offset, key_len, value_len, headers_len, header_count, reserved
        }
        kprod_group_offset_t { topic_name, topic_name_len, offset, metadata, metadata_len, partition, leader_epoch, reserved }
        kprod_group_metadata_t {
            group_id, group_id_len, member_id, member_id_len, group_instance_id, group_instance_id_len, generation_id, reserved0, reserved
        }
        kprod_batch_append_t { timestamp_ms, offset, size, reserved }
        kprod_metrics_t { records_delivered, requests_in_flight, reserved }
    }
    text
}

#[test]
fn c_and_rust_agree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("layout");
    let status = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(root.join("include"))
        .arg(root.join("tests/abi/layout.c"))
        .arg("-o")
        .arg(&program)
        .status()
        .expect("cc runs");
    assert!(status.success());
    let output = Command::new(&program).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), layout());
}
