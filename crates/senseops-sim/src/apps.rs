//! The apps of the simulated estate.

/// An app that simulated users open and simulated engines keep in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct App {
    /// Its id, a GUID in lower case.
    pub id: &'static str,
    /// Its name, which may hold what is awkward on some wire: commas, quotes, semicolons.
    pub name: &'static str,
}

/// Every app of the estate, in no particular order.
pub const APPS: [App; 20] = [
    App { id: "21bade02-6a6a-4768-82ed-66ffdcc99396", name: "Sales, EMEA" },
    App { id: "522c4f8d-6102-4d70-a3e8-540e9dd8904f", name: "Sales pipeline" },
    App { id: "0620f087-7e5f-4381-b3fa-ac572f564652", name: "Supply chain" },
    App { id: "c35d7d3b-92e4-416e-b7e4-7ffc284a2d4f", name: "Warehouse stock" },
    App { id: "817af708-2074-43b7-96e7-df8e1eb1c66e", name: "Budget 2025" },
    App { id: "2be38ecc-1f07-4223-963e-bc382e09e4b8", name: "Profit and loss" },
    App { id: "ab195b47-91d5-49ef-9044-d527dd1775a9", name: "Cash flow" },
    App { id: "e9a462ce-0fa0-40a0-a210-d3dbe88f40a2", name: "HR core" },
    App { id: "e429392b-51a7-436e-9109-0aee5622276a", name: "Absence & overtime" },
    App { id: "5b05816f-ac0e-46d5-b613-2dfb84492cd4", name: "Customer 360" },
    App { id: "4e9a430c-bcfd-456a-9221-62b36754614c", name: "Churn \"early warning\"" },
    App { id: "7c213c12-8f4c-4fc3-a9f0-665958282d8a", name: "Web traffic" },
    App { id: "e144c4ee-cf3c-4005-b428-dfad70ce7993", name: "Call centre" },
    App { id: "9c7c489a-f9c2-4567-9ac3-8adf41b07915", name: "Production line 4" },
    App { id: "471968ce-7b05-4c1a-8819-dab3e928d1d5", name: "Quality; complaints" },
    App { id: "60be9aa9-ba30-4818-b9fc-1a20e2110b06", name: "Energy use" },
    App { id: "78d735a5-7767-429d-91a5-2983aa7975e2", name: "Fleet" },
    App { id: "9edf96f4-1ac8-4512-b95c-b3f87e974317", name: "Retail margins" },
    App { id: "6bd32c8e-ddd5-4451-9b41-c2546a35e376", name: "Operations Monitor" },
    App { id: "b6cfe835-5d6e-4742-9f88-03eadf30a0ea", name: "License Monitor" },
];
