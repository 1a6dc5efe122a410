//! placeholder
#[derive(Debug)]
pub struct Bank;
#[derive(Debug)]
pub struct BankOptions;
#[derive(Debug)]
pub struct ServiceProcess;
