//! Every case runs whole, byte by byte, cut in two everywhere, and with other bytes behind it.

mod chunked;
mod exchange;
mod framing;
mod head;
mod hostile;
