#ifndef VANTAGE_PROTO_PRIV_RING_H
#define VANTAGE_PROTO_PRIV_RING_H

/*
 * The packet ring that privd sets up and the worker maps: packet(7), version 2
 * frames, cooked (no link header). Software stamps, CLOCK_REALTIME.
 */
#define RING_FRAME_BYTES 2048u
#define RING_FRAMES 8192u
#define RING_BLOCK_BYTES 65536u

#endif
