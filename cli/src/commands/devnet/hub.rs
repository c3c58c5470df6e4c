//! The network of a devnet: channels between threads. Messages cross it encoded, as they would cross a socket.

use super::events::Input;
use chain::message::{Message, Network, PeerId};
use circuits::statements::codec;
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// A node's end of the network.
#[derive(Clone)]
pub struct Port {
    own: PeerId,
    inboxes: Arc<Vec<Sender<Input>>>,
}

impl Port {
    /// The end of node `own`.
    pub fn new(own: PeerId, inboxes: Arc<Vec<Sender<Input>>>) -> Self {
        Port { own, inboxes }
    }

    fn deliver(&self, to: PeerId, bytes: &Arc<Vec<u8>>) {
        // A node that stopped gets no mail.
        if let Some(inbox) = self.inboxes.get(to as usize) {
            let _ = inbox.send(Input::Message(self.own, bytes.clone()));
        }
    }
}

impl Network for Port {
    fn send(&self, to: PeerId, message: &Message) {
        if let Ok(bytes) = codec::encode(message) {
            self.deliver(to, &Arc::new(bytes));
        }
    }

    fn broadcast(&self, except: Option<PeerId>, message: &Message) {
        let Ok(bytes) = codec::encode(message) else { return };
        let bytes = Arc::new(bytes);
        let peers = (0..self.inboxes.len() as PeerId).filter(|&peer| peer != self.own && Some(peer) != except);
        peers.for_each(|peer| self.deliver(peer, &bytes));
    }

    fn misbehaved(&self, peer: PeerId, reason: &str) {
        // Nodes of a devnet are honest: this is a bug, and is seen.
        if let Some(inbox) = self.inboxes.get(self.own as usize) {
            let _ = inbox.send(Input::Complaint(format!("node {peer}: {reason}")));
        }
    }
}
