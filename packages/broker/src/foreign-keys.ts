/**
 * Keys that Apache's broker knows and this one does not, by the reason why they have no effect here:
 * a configuration written for Apache starts with a warning for each. And old spellings of keys.
 * Source: Apache classes BrokerConfig, MessageStoreConfig, NettyServerConfig; `store-runtime.md` 17.
 */

interface Reason {
  readonly why: string
  /** Keys, separated by blanks. */
  readonly keys: string
}

const reasons: readonly Reason[] = [
  {
    why: 'masters and slaves keep their roles: DLedger, the controller and acting masters are not built yet',
    keys: `
      storePathEpochFile storePathBrokerIdentity duplicationEnable enableDLegerCommitLog
      dLegerGroup dLegerPeers dLegerSelfId preferredLeaderId enableBatchPush
      totalReplicas allAckInSyncStateSet enableAutoInSyncReplicas
      haMaxTimeSlaveNotCatchup syncMasterFlushOffsetWhenStartup maxChecksumRange
      syncFromLastFile asyncLearner sendHeartbeatTimeoutMillis brokerHeartbeatInterval
      brokerNotActiveTimeoutMillis syncBrokerMemberGroupPeriod enableSlaveActingMaster
      enableRemoteEscape skipPreOnline lockInStrictMode enableControllerMode
      controllerAddr fetchControllerAddrByDnsLookup syncBrokerMetadataPeriod
      checkSyncStateSetPeriod syncControllerMetadataPeriod
      controllerHeartBeatTimeoutMills brokerElectionPriority storePathDLedgerCommitLog`,
  },
  {
    why: 'compacted topics are not part of this broker',
    keys: `
      compactionMappedFileSize compactionCqMappedFileSize maxOffsetMapSize enableCompaction
      compactionScheduleInternal`,
  },
  {
    why: 'each level of delay is delivered in order and counted, as fast as the store takes it',
    keys: `
      enableScheduleMessageStats
      enableScheduleAsyncDeliver scheduleAsyncDeliverMaxPendingLimit
      scheduleAsyncDeliverMaxResendNum2Blocked delayOffsetUpdateVersionStep`,
  },
  {
    why: 'all requests are served by one event loop: there are no thread pools or selectors to size',
    keys: `
      compactionThreadNum timerGetMessageThreadNum timerPutMessageThreadNum
      useReentrantLockWhenPutMessage debugLockEnable batchDispatchRequestThreadPoolNums
      topicQueueLockNum spinLockCollisionRetreatOptimalDegree useABSLock recoverConcurrently
      sendMessageThreadPoolNums putMessageFutureThreadPoolNums pullMessageThreadPoolNums
      litePullMessageThreadPoolNums ackMessageThreadPoolNums processReplyMessageThreadPoolNums
      queryMessageThreadPoolNums adminBrokerThreadPoolNums clientManageThreadPoolNums
      consumerManageThreadPoolNums loadBalanceProcessorThreadPoolNums heartbeatThreadPoolNums
      recoverThreadPoolNums endTransactionThreadPoolNums sendThreadPoolQueueCapacity
      putThreadPoolQueueCapacity pullThreadPoolQueueCapacity litePullThreadPoolQueueCapacity
      ackThreadPoolQueueCapacity replyThreadPoolQueueCapacity queryThreadPoolQueueCapacity
      clientManagerThreadPoolQueueCapacity consumerManagerThreadPoolQueueCapacity
      heartbeatThreadPoolQueueCapacity endTransactionPoolQueueCapacity
      adminBrokerThreadPoolQueueCapacity loadBalanceThreadPoolQueueCapacity
      brokerFastFailureEnable waitTimeMillsInSendQueue waitTimeMillsInPullQueue
      waitTimeMillsInLitePullQueue waitTimeMillsInHeartbeatQueue
      waitTimeMillsInTransactionQueue waitTimeMillsInAckQueue waitTimeMillsInAdminBrokerQueue
      asyncSendEnable enableFastChannelEventProcess serverWorkerThreads
      serverCallbackExecutorThreads serverSelectorThreads serverOnewaySemaphoreValue
      serverAsyncSemaphoreValue serverNettyWorkerGroupEnable useEpollNativeSelector`,
  },
  {
    why: 'timed messages wait in memory, are saved as a whole, and are delivered until the store takes them',
    keys: `
      timerFlushIntervalMs timerEnableDisruptor timerEnableCheckMetrics disappearTimeAfterStart
      timerStopEnqueue timerCheckMetricsWhen timerSkipUnknownError timerWarmEnable
      timerStopDequeue timerEnableRetryUntilSuccess timerCongestNumEachSlot
      timerMetricSmallThreshold timerProgressLogIntervalMs timerColdDataCheckIntervalMs`,
  },
  {
    why: 'the RocksDB store is not part of this broker',
    keys: `
      storeType cleanRocksDBDirtyCQIntervalMin statRocksDBCQIntervalSec
      memTableFlushIntervalMs realTimePersistRocksDBConfig enableRocksDBLog
      rocksdbCQDoubleWriteEnable combineCQLoadingCQTypes combineCQPreferCQType
      combineCQEnableCheckSelf combineCQMaxExtraSearchCommitLogFiles
      bottomMostCompressionTypeForConsumeQueueStore rocksdbCompressionType
      rocksdbFlushWalFrequency rocksdbWalFileRollingThreshold enableAcceleratedRecovery
      configManagerVersion combineAssignOffsetCQType`,
  },
  {
    why: 'batch consume queues, their extension files and light message queues are not part of this broker',
    keys: `
      enableConsumeQueueExt mappedFileSizeConsumeQueueExt mapperFileSizeBatchConsumeQueue
      enableLmq enableMultiDispatch searchBcqByCacheEnable enableLmqStats`,
  },
  {
    why: 'SQL92 filters look at the properties of each message: nothing of them is kept in files',
    keys: `
      bitMapLengthConsumeQueueExt enableCalcFilterBitMap
      expectConsumerNumUseFilter maxErrorRateOfBloomFilter filterDataCleanTimeSpan`,
  },
  {
    why: 'files are written and read through the page cache, never mapped into memory',
    keys: `
      osPageCacheBusyTimeOutMills writeWithoutMmap
      putConsumeQueueDataByFileChannel transferMsgByHeap serverSocketSndBufSize
      serverSocketRcvBufSize writeBufferHighWaterMark writeBufferLowWaterMark
      serverPooledByteBufAllocatorEnable`,
  },
  {
    why: 'recovery always checks what was not known to be flushed',
    keys: `
      messageIndexSafe
      checkCRCOnRecover recheckReputOffsetFromCq
      enableLogConsumeQueueRepeatedlyBuildWhenRecover`,
  },
  {
    why:
      'a file can be removed while it is read: its readers finish, and a removal that fails is ' +
      'tried again every cleanResourceInterval',
    keys: 'destroyMapedFileIntervalForcibly redeleteHangedFileInterval',
  },
  {
    why: 'the first offset of a queue is corrected with each removal of files, and only then',
    keys: 'correctLogicMinOffsetSleepInterval correctLogicMinOffsetForceInterval',
  },
  {
    why: 'every broker goes by the use of the whole volume, whoever else fills it',
    keys: 'replicasPerDiskPartition logicalDiskSpaceCleanForciblyThreshold',
  },
  {
    why: 'cold data control is not part of this broker',
    keys: `
      coldDataFlowControlEnable coldDataScanEnable sampleSteps accessMessageInMemoryHotRatio
      coldCtrStrategyEnable usePIDColdCtrStrategy cgColdReadThreshold globalColdReadThreshold`,
  },
  {
    why: 'open transactions are counted from the queue of half messages: no file is kept of them',
    keys: 'transactionMetricFlushInterval enableTransactionMetrics',
  },
  {
    why: 'metrics are not built yet',
    keys: `
      diskFallRecorded commercialBaseCount commercialSizePerMsg accountStatsEnable accountStatsPrintZeroValues
      maxStatsIdleTimeInMinutes enableDetailStat autoDeleteUnusedStats isolateLogEnable
      useStaticSubscription metricsExporterType metricsOtelCardinalityLimit
      metricsGrpcExporterTarget metricsGrpcExporterHeader metricGrpcExporterTimeOutInMills
      metricGrpcExporterIntervalInMills metricLoggingExporterIntervalInMills
      metricsPromExporterPort metricsPromExporterHost metricsLabel metricsInDelta
      enableRemotingMetrics enableMessageStoreMetrics enableConnectionMetrics
      enableStatsMetrics enableRequestMetrics enableLagAndDlqMetrics printChannelGroups
      printChannelGroupsMinNum`,
  },
  {
    why: 'pop consumption is not built yet',
    keys: `
      popPollingSize popPollingMapSize popPollingMapExpireTimeSeconds maxPopPollingSize
      reviveQueueNum reviveInterval reviveMaxSlow reviveScanTime enableSkipLongAwaitingAck
      reviveAckWaitMs enablePopLog enablePopBufferMerge popCkStayBufferTime
      popCkStayBufferTimeOut popCkMaxBufferSize popCkOffsetMaxQueueSize enablePopBatchAck
      popLongPollingForceNotifyInterval enableNotifyBeforePopCalculateLag
      enableNotifyAfterPopOrderLockRelease initPopOffsetByCheckMsgInMem
      retrieveMessageFromPopRetryTopicV1 enableRetryTopicV2 popFromRetryProbability
      popConsumerFSServiceInit popConsumerKVServiceLog popConsumerKVServiceInit
      popConsumerKVServiceEnable popReviveMaxReturnSizePerRead popReviveMaxAttemptTimes
      loadBalancePollNameServerInterval serverLoadBalancerEnable defaultMessageRequestMode
      defaultPopShareQueueNum enablePopMetrics popResponseReturnActualRetryTopic
      popInflightMessageThreshold enablePopMessageThreshold skipWhenCKRePutReachMaxTimes
      appendAckAsync appendCkAsync`,
  },
  {
    why: 'every message is handed to the kernel, where a killed process loses none: no buffer is before it',
    keys: `
      commitIntervalCommitLog commitCommitLogLeastPages commitCommitLogThoroughInterval
      wakeCommitWhenPutMessage transientStorePoolEnable transientStorePoolSize
      fastFailIfNoBufferInStorePool`,
  },
  {
    why: 'files of the log are filled with zeros ahead of the messages, a mebibyte at a time',
    keys: 'warmMapedFileEnable flushLeastPagesWhenWarmMapedFile',
  },
  {
    why: 'queues are flushed with each checkpoint, and made anew from the log behind the last one',
    keys: `
      flushIntervalConsumeQueue flushConsumeQueueLeastPages flushConsumeQueueThoroughInterval`,
  },
  {
    why: 'files are read ahead where a consumer reads on, and nowhere else',
    keys: 'dataReadAheadEnable',
  },
  {
    why: 'a pull that finds nothing in one file of a queue goes on in the next with its next request',
    keys: 'travelCqFileNumWhenGetMessage',
  },
  {
    why: "Apache's broker declares it and does not read it either",
    keys: `
      putMessageTimeout dispatchCqCacheNum enableAsyncReput maxTopicLength
      dispatchFromSenderThread pullBatchMaxMessageCount flushConsumerOffsetHistoryInterval
      highSpeedMode cleanOfflineBrokerInterval aclEnable maxSlaveResendLength
      dispatchCqThreads timerInterceptDelayLevel maxLmqConsumeQueueNum mappedFileSwapEnable
      commitLogForceSwapMapInterval commitLogSwapMapInterval commitLogSwapMapReserveFileNum
      logicQueueForceSwapMapInterval logicQueueSwapMapInterval cleanSwapedMapInterval
      logicQueueSwapMapReserveFileNum serverSocketBacklog maxRecoveryCommitlogFiles
      maxBatchDeleteFilesNum enableCleanExpiredOffset putMsgIndexHightWater`,
  },
  {
    why: 'this broker has no such switch',
    keys: `
      readOnlyCommitLogStorePaths
      autoMessageVersionOnTopicLen enableRunningFlagsInFlush
      maxAsyncPutMessageRequests maxConsumeQueueScan sampleCountThreshold
      enableBuildConsumeQueueConcurrently readUnCommitted brokerConfigPath rocketmqHome
      messageStorePlugIn fetchNameSrvAddrByDnsLookup
      fetchNamesrvAddrByAddressServer disableConsumeIfConsumerReadSlowly
      consumerFallbehindThreshold startAcceptSendRequestTimeStamp rejectPullConsumerEnable
      compressedRegister forceRegister updateNameServerAddrPeriod enableNetWorkFlowControl
      enableBroadcastOffsetStore broadcastOffsetExpireSecond broadcastOffsetExpireMaxSecond
      realTimeNotifyConsumerChange litePullMessageEnable
      forwardTimeout consumerOffsetUpdateVersionStep
      compatibleWithOldNameSrv validateSystemTopicWhenUpdateTopic channelExpiredTimeout
      subscriptionExpiredTimeout estimateAccumulation fetchNamesrvAddrInterval
      enableSingleTopicRegister enableMixedMessageType enableSplitRegistration
      enableSplitMetadata splitMetadataSize splitRegistrationSize configBlackList
      clearRetryTopicWhenDeleteTopic allowRecallWhenBrokerNotWriteable
      enableRegisterProducer enableCreateSysGroup enableShutdownGracefully
      shutdownWaitTimeSeconds`,
  },
]

/** Key to reason. */
export const foreignKeys: Readonly<Record<string, string>> = Object.fromEntries(
  reasons.flatMap(({ why, keys }) =>
    keys
      .trim()
      .split(/\s+/)
      .map((key) => [key, why]),
  ),
)

/** Old spelling to present key; Apache 3.x and 4.x files have them. */
export const oldSpellings: Readonly<Record<string, string>> = {
  mapedFileSizeCommitLog: 'mappedFileSizeCommitLog',
  mapedFileSizeConsumeQueue: 'mappedFileSizeConsumeQueue',
  haSlaveFallbehindMax: 'haMaxGapNotInSync',
}
