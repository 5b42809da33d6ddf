//! How long partitions were without acknowledgement, in microseconds of one clock.

/// A record that was acknowledged: when it was handed to the producer, and when its report reached the application.
#[derive(Debug, Clone, Copy)]
pub struct Ack {
    pub partition: i32,
    pub sent: u64,
    pub acked: u64,
}

/// From when to when something was wrong.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub begin: u64,
    pub end: u64,
}

/// The longest time between two successive acknowledgements of one partition, of those that end after the first fault
/// has begun. The acknowledgements are in the order of their time.
pub fn longest_stall(acks: &[Ack], partitions: i32, faults: &[Fault]) -> u64 {
    let first = faults.iter().map(|fault| fault.begin).min().unwrap_or(0);
    let of_partition = |partition| {
        let times = acks.iter().filter(move |ack| ack.partition == partition);
        let times: Vec<u64> = times.map(|ack| ack.acked).collect();
        let gaps = times.windows(2).filter(|two| two[1] >= first);
        gaps.map(|two| two[1] - two[0]).max().unwrap_or(0)
    };
    (0..partitions).map(of_partition).max().unwrap_or(0)
}

/// The longest time from the end of a fault until each partition has acknowledged a record that was handed over after
/// that end. None, if one never has.
pub fn longest_recovery(acks: &[Ack], partitions: i32, faults: &[Fault]) -> Option<u64> {
    let of_partition = |fault: &Fault, partition| {
        let mut later = acks
            .iter()
            .filter(|ack| ack.partition == partition && ack.sent >= fault.end);
        later.next().map(|ack| ack.acked - fault.end)
    };
    let of_fault = |fault: &Fault| {
        let all = (0..partitions).map(|partition| of_partition(fault, partition));
        all.collect::<Option<Vec<u64>>>()?.into_iter().max()
    };
    let all = faults.iter().map(of_fault);
    Some(
        all.collect::<Option<Vec<u64>>>()?
            .into_iter()
            .max()
            .unwrap_or(0),
    )
}
