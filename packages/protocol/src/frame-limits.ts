/**
 * How large a frame may be. Source: Apache class NettyDecoder (`com.rocketmq.remoting.frameMaxLength`).
 */

/** Of a whole frame, its 4-byte length included. */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024

/** Of a header alone: room for 32 KiB of properties however they are escaped, and for long remarks. */
export const MAX_HEADER_BYTES = 1024 * 1024
