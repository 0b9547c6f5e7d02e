//! One identity: nobody speaks for somebody else, by no credential, header or forwarder.

mod certificates;
