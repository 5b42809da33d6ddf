//! A consumer group's offsets on their way into the transaction.

/// Which consumer commits (KIP-447).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMetadata {
    pub group_id: String,
    /// The generation or the member's epoch; −1: no member is checked.
    pub generation_id: i32,
    pub member_id: String,
    pub group_instance_id: Option<String>,
}

/// The next offset to be consumed of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOffset {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// −1: unknown.
    pub leader_epoch: i32,
    pub metadata: Option<String>,
}

/// One call's worth of offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offsets {
    pub group: GroupMetadata,
    pub offsets: Vec<GroupOffset>,
}
