//! A client's connection, byte by byte.

use super::answer::{Answer, Broken};
use super::{PATIENCE, Request, block_on};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// A TCP connection to the gateway, with what was read ahead. Every read has a deadline.
pub struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    pub(super) inbox: Vec<u8>,
    patience: Duration,
}

impl Connection {
    #[track_caller]
    pub fn open(peer: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&peer, PATIENCE).unwrap();
        Self::over(stream, peer)
    }

    /// With as small a receive buffer as the system gives: what is not read soon stalls the sender.
    #[track_caller]
    pub fn open_narrow(peer: SocketAddr) -> Self {
        let stream = block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4096).unwrap();
            socket.connect(peer).await.unwrap().into_std().unwrap()
        });
        stream.set_nonblocking(false).unwrap();
        Self::over(stream, peer)
    }

    fn over(stream: TcpStream, peer: SocketAddr) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, peer, inbox: Vec::new(), patience: PATIENCE }
    }

    /// How long a read may find nothing.
    pub fn patient_for(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    #[track_caller]
    pub fn send(&mut self, request: &Request) {
        self.send_raw(&request.to_bytes(&self.peer.to_string()));
    }

    #[track_caller]
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Reads the head of the next answer.
    #[track_caller]
    pub fn answer(self) -> Answer {
        self.try_answer().unwrap_or_else(|(broken, seen)| {
            panic!("no answer: {broken:?} after {:?}", String::from_utf8_lossy(&seen))
        })
    }

    /// Reads the head of the next answer, or says what came instead.
    pub fn try_answer(self) -> Result<Answer, (Broken, Vec<u8>)> {
        Answer::read(self)
    }

    /// Reads what there is, at least one byte, into the inbox.
    pub fn fill(&mut self) -> Result<(), Broken> {
        self.stream.set_read_timeout(Some(self.patience)).unwrap();
        let mut buffer = [0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(Broken::Closed),
            Ok(count) => {
                self.inbox.extend_from_slice(&buffer[..count]);
                Ok(())
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Err(Broken::Silent),
            Err(_) => Err(Broken::Reset),
        }
    }

    /// Reads until the other side closes, and gives all of it. For answers that are not HTTP.
    pub fn read_to_close(mut self) -> (Vec<u8>, Broken) {
        loop {
            if let Err(broken) = self.fill() {
                return (self.inbox, broken);
            }
        }
    }

    /// Ends with a FIN; reads nothing any more.
    pub fn close(self) {
        let _ended_already = self.stream.shutdown(Shutdown::Both);
    }

    /// Ends with a RST.
    pub fn reset(self) {
        self.stream.set_nonblocking(true).unwrap();
        block_on(async {
            tokio::net::TcpStream::from_std(self.stream).unwrap().set_zero_linger().unwrap();
        });
    }
}
