//! Who the producer is to the brokers, and its transactions: state machines without I/O.
//!
//! ```text
//! identity.rs   producer id and epoch            transactor.rs what to ask a coordinator next
//! lineage.rs    a partition's sequence           verdict.rs   what its answers mean
//! calls.rs      the user's calls and results     state.rs     the transaction itself
//! ```

mod calls;
mod identity;
mod inquiry;
mod lineage;
mod offsets;
mod state;
mod step;
mod transactor;
mod verdict;

pub use calls::{Call, Entry};
pub use identity::Identity;
pub use lineage::{Lineage, Place, after};
pub use offsets::{GroupMetadata, GroupOffset, Offsets};
pub use state::{Ending, State};
pub use step::{Destination, Refused, Step};
pub use transactor::Transactor;
pub use verdict::{Verdict, verdict};
