//! The list of bootstrap servers: `host[:port],...`.

use std::net::Ipv6Addr;

use super::typed::HostPort;

const DEFAULT_PORT: u16 = 9092;
/// The longest host name that DNS knows.
const MAX_HOST: usize = 255;

/// Parses the whole list; the error names every bad entry.
pub(super) fn parse(list: &str) -> Result<Vec<HostPort>, String> {
    let mut servers = Vec::new();
    let mut bad = Vec::new();
    let entries = list.split(',').map(str::trim);
    for entry in entries.filter(|entry| !entry.is_empty()) {
        match parse_entry(entry) {
            Ok(server) => servers.push(server),
            Err(reason) => bad.push(format!("{entry:?} {reason}")),
        }
    }
    if !bad.is_empty() {
        return Err(format!("has bad entries: {}", bad.join(", ")));
    }
    if servers.is_empty() {
        return Err("names no server".into());
    }
    Ok(servers)
}

fn parse_entry(entry: &str) -> Result<HostPort, String> {
    if entry.contains("://") {
        return Err("has a scheme (security.protocol says how to connect)".into());
    }
    let (host, port) = match entry.strip_prefix('[') {
        Some(rest) => bracketed(rest)?,
        None => plain(entry)?,
    };
    let port = match port {
        None => DEFAULT_PORT,
        Some(text) => parse_port(text)?,
    };
    Ok(HostPort {
        host: host.to_owned(),
        port,
    })
}

/// `rest` follows the opening bracket.
fn bracketed(rest: &str) -> Result<(&str, Option<&str>), String> {
    let (host, after) = rest.split_once(']').ok_or("lacks the closing bracket")?;
    let address = host
        .split_once('%')
        .map_or(host, |(address, _zone)| address);
    if address.parse::<Ipv6Addr>().is_err() {
        return Err("has no IPv6 address in its brackets".into());
    }
    if !host.chars().all(|c| c == ':' || is_host_char(c)) {
        return Err("has a character that no host name has".into());
    }
    match after.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if after.is_empty() => Ok((host, None)),
        None => Err("has text after the closing bracket".into()),
    }
}

fn plain(entry: &str) -> Result<(&str, Option<&str>), String> {
    let (host, port) = match entry.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (entry, None),
    };
    if port.is_some_and(|port| port.contains(':')) {
        return Err("has several colons (an IPv6 address stands in brackets)".into());
    }
    if host.is_empty() {
        return Err("has no host".into());
    }
    if host.len() > MAX_HOST {
        return Err("has a host name longer than 255 bytes".into());
    }
    if !host.chars().all(is_host_char) {
        return Err("has a character that no host name has".into());
    }
    Ok((host, port))
}

fn is_host_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '%')
}

fn parse_port(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err("has no port from 1 to 65535".into()),
    }
}
