//! The C surface: every `extern "C"` function, the handles, and the layout of the public structs.
//!
//! Nothing else in the crate may be `extern "C"`, and nothing here decides anything: a function checks its
//! arguments, translates them and calls `crate::producer`. `include/kprod.h` (and `kprod_mock.h` of `mock`) is generated from these files, in the
//! order in which they stand here; the doc comments are its prose and, being the caller's contract, also the
//! reason of the functions' `unsafe`.

#![allow(non_camel_case_types, clippy::missing_safety_doc)]

mod batch;
mod boundary;
mod completion;
mod config;
mod errors;
mod handle;
mod inquiry;
mod marshal;
mod mock;
mod packed;
mod producer;
mod send;
mod transaction;
mod types;
mod version;

pub use mock::*;
pub use types::*;

pub use config::kprod_config_t;
pub use errors::kprod_error_t;
pub use handle::kprod_producer_t;

pub use version::{kprod_api_version, kprod_version, kprod_version_string};

pub use errors::{
    kprod_err_name, kprod_err_str, kprod_error_code, kprod_error_free, kprod_error_is_abortable,
    kprod_error_is_fatal, kprod_error_is_retriable, kprod_error_message,
};

pub use config::{
    kprod_config_free, kprod_config_get, kprod_config_key_at, kprod_config_new, kprod_config_set,
    kprod_config_set_delivery_callback, kprod_config_set_log_callback,
    kprod_config_set_partitioner,
};

pub use producer::{
    kprod_close, kprod_close_async, kprod_create, kprod_destroy, kprod_flush, kprod_flush_async,
    kprod_partitions_for, kprod_partitions_for_async, kprod_purge, kprod_start, kprod_start_async,
    kprod_topic, kprod_topic_name,
};

pub use inquiry::{kprod_cluster_error, kprod_error_detail, kprod_fatal_error, kprod_metrics};

pub use send::{
    kprod_record_init, kprod_send, kprod_send_many, kprod_send_wait, kprod_send_with_callback,
    kprod_try_send,
};

pub use transaction::{
    kprod_abort_transaction, kprod_abort_transaction_async, kprod_begin_transaction,
    kprod_begin_transaction_async, kprod_commit_transaction, kprod_commit_transaction_async,
    kprod_group_metadata_init, kprod_send_offsets_to_transaction,
    kprod_send_offsets_to_transaction_async,
};

pub use batch::{
    kprod_batch_append, kprod_batch_close, kprod_batch_free, kprod_batch_record_count,
    kprod_batch_size, kprod_batch_t, kprod_create_batch, kprod_send_batch, kprod_send_batch_async,
    kprod_send_batch_with_callback, kprod_try_send_batch,
};

pub use packed::kprod_send_packed;

pub use completion::{kprod_poll, kprod_poll_interrupt, kprod_wake_fd};
