#pragma once
#include "pico/stdlib.h"
typedef struct {
    uint32_t ctrl;
} dma_channel_config;
enum dma_channel_transfer_size { DMA_SIZE_16 = 1 };
#define DREQ_ADC 36
dma_channel_config dma_channel_get_default_config(uint channel);
void channel_config_set_transfer_data_size(dma_channel_config *config, enum dma_channel_transfer_size size);
void channel_config_set_read_increment(dma_channel_config *config, bool increment);
void channel_config_set_write_increment(dma_channel_config *config, bool increment);
void channel_config_set_dreq(dma_channel_config *config, uint dreq);
void channel_config_set_chain_to(dma_channel_config *config, uint channel);
void dma_channel_claim(uint channel);
void dma_channel_configure(uint channel, const dma_channel_config *config, volatile void *write, const volatile void *read,
                           uint32_t transfers, bool trigger);
void dma_channel_set_irq0_enabled(uint channel, bool enabled);
void dma_channel_acknowledge_irq0(uint channel);
void dma_channel_set_write_addr(uint channel, volatile void *write, bool trigger);
