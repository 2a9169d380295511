//! What only some systems can tell or grant. On others the answer is "unknown", and everything else works.

use std::net::UdpSocket;

use socket2::SockRef;

/// Asks for a receive buffer of this many bytes, beyond the system's limit where we may, and tells what was granted.
pub(crate) fn grow_receive_buffer(socket: &UdpSocket, bytes: usize) -> usize {
    #[cfg(target_os = "linux")]
    let forced = rustix::net::sockopt::set_socket_recv_buffer_size_force(socket, bytes).is_ok();
    #[cfg(not(target_os = "linux"))]
    let forced = false;
    if !forced && SockRef::from(socket).set_recv_buffer_size(bytes).is_err() {
        // The size that was granted, read below, tells the operator.
    }
    let doubled = SockRef::from(socket).recv_buffer_size().unwrap_or(0);
    // Linux reports twice the size, since it counts its own bookkeeping.
    if cfg!(target_os = "linux") { doubled / 2 } else { doubled }
}

/// How many datagrams the kernel dropped because the receive buffer was full. `None` where the system does not say.
#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "procfs answers from memory, it never waits for a disk")]
pub(crate) fn kernel_drops(socket: &UdpSocket) -> Option<u64> {
    use std::os::fd::AsRawFd;

    let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok()?;
    let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned();
    ["/proc/net/udp", "/proc/net/udp6"].iter().find_map(|table| {
        let table = std::fs::read_to_string(table).ok()?;
        drops_of(&table, &inode)
    })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn kernel_drops(_socket: &UdpSocket) -> Option<u64> {
    None
}

/// The last column of the socket's row in `/proc/net/udp`, whose tenth column is the inode.
#[cfg(target_os = "linux")]
fn drops_of(table: &str, inode: &str) -> Option<u64> {
    table.lines().find_map(|row| {
        let mut columns = row.split_ascii_whitespace();
        (columns.nth(9)? == inode).then(|| columns.last()?.parse().ok())?
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn drops_are_found_by_the_inode_of_the_socket() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            1234: 0100007F:270D 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 17\n";
        assert_eq!(drops_of(table, "4711"), Some(17));
        assert_eq!(drops_of(table, "17"), None);
    }

    #[test]
    fn the_kernel_tells_that_a_full_buffer_dropped_datagrams() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(kernel_drops(&receiver), Some(0));
        let granted = grow_receive_buffer(&receiver, 4096);
        assert!(granted >= 2048, "{granted}");
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..100 {
            sender.send_to(&[0; 1000], receiver.local_addr().unwrap()).unwrap();
        }
        assert!(kernel_drops(&receiver) > Some(0));
    }
}
