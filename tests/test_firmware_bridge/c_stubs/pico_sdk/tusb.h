#pragma once
#include <stdbool.h>
#include <stdint.h>
#ifndef CFG_TUD_CDC_TX_BUFSIZE
#define CFG_TUD_CDC_TX_BUFSIZE 1024
#endif
bool tusb_init(void);
void tud_task(void);
bool tud_cdc_connected(void);
uint32_t tud_cdc_available(void);
uint32_t tud_cdc_read(void *bytes, uint32_t count);
uint32_t tud_cdc_write(const void *bytes, uint32_t count);
uint32_t tud_cdc_write_available(void);
uint32_t tud_cdc_write_flush(void);
