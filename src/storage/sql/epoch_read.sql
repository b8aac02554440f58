select epoch from store_epoch
