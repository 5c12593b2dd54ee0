/**
 * Namespaces of settings that the name server itself reads. Source: Apache class NamesrvUtil.
 */

/** Topic to `broker-a:4;broker-b:4`: topics that are ordered over all brokers. */
export const ORDER_TOPIC_NAMESPACE = 'ORDER_TOPIC_CONFIG'
