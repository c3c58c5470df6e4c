mod contributions;
mod mempool;
