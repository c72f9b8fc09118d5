//! linuxptp over its management socket.
