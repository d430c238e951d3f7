//! Names of South Asian (Muslim, Sikh, Hindu), Chinese and Arab people in the United Kingdom, commonest first.

/// Men of Pakistani and Bangladeshi families.
pub const MUSLIM_MALE: &str = "Mohammed Muhammad Mohammad Abdul Ali Ahmed Imran Hassan Usman Bilal Hamza Ibrahim Yusuf \
    Omar Khalid Tariq Asif Zain Adil Shahid Nadeem Faisal Kamran Waqas Rashid Naveed Zahid Arif Javed Sajid Amir Haroon \
    Ismail Shafiq Rizwan Junaid Adnan Saqib Kashif Rafiq Shabir Mushtaq Iqbal Aziz Rehan Sohail Yasir Zubair Aftab \
    Babar Danyal Ejaz Farhan Ghulam Habib Idris Jamil Liaqat Mansoor Nasir Parvez Qasim Raza Salim Talha Umar Waseem";

/// Women of Pakistani and Bangladeshi families.
pub const MUSLIM_FEMALE: &str = "Fatima Aisha Maryam Zainab Khadija Shazia Nasreen Samina Rukhsana Yasmin Hafsa Amina \
    Sadia Nadia Saima Farzana Rabia Shabana Tahira Sumaiya Parveen Razia Shaheen Iram Noreen Sofia Bushra Rehana Naseem \
    Zahida Kausar Nargis Shamim Mumtaz Halima Ruqayyah Safia Uzma Asma Sana Hina Iqra Anam Naila Tasleem Robina Ghazala \
    Mehwish Nighat Asiya Jamila Kiran Lubna Musarat Nusrat Rashida Sajida Taslima Rahima Nazma Salma Momtaz Hasina";

/// Family names of men of those families.
pub const MUSLIM_FAMILY_MALE: &str = "Khan Hussain Ahmed Ali Mahmood Miah Uddin Iqbal Akhtar Islam Malik Rahman Shah \
    Rehman Aslam Mirza Chaudhry Rashid Hassan Hanif Ashraf Butt Qureshi Akram Saleem Sadiq Arshad Aziz Yousaf Javed \
    Mohammed Bashir Anwar Shafi Latif Nawaz Sharif Choudhury Haque Alam Karim Siddique Bhatti Raja Sheikh Dar Younis \
    Zaman Abbas Riaz Sultan Afzal Majid Hamid Ullah Chowdhury Kazi Begg Baig Awan Rafique Ilyas Parvez Waheed Ghani";

/// Names that stand in the family place for women of those families.
pub const MUSLIM_FAMILY_FEMALE: &str = "Begum Bibi Khan Akhtar Hussain Khatun Ahmed Ali Kauser Parveen Malik Iqbal Shah \
    Sultana Mahmood Khanam Rahman Jan Rashid Nessa Mirza Butt Qureshi Chaudhry Yasmin Jabeen Aslam Hassan Nawaz Akram";

/// Given names of Sikh men.
pub const SIKH_MALE: &str = "Gurpreet Harpreet Jaspal Manjit Sukhdev Balbir Amrik Surinder Harjit Kulwinder Jagdeep \
    Mandeep Sandeep Rajinder Baljit Parminder Gurdeep Satnam Davinder Ranjit Arjan Jasvir Mohinder Tarlochan Avtar \
    Hardeep Inderjit Jaskaran Karanjit Lakhbir Narinder Onkar Pritam Resham Simran Tejinder Upkar Veer Harbhajan Kirpal";

/// Given names of Sikh women; many are men's names too.
pub const SIKH_FEMALE: &str = "Harpreet Gurpreet Manjit Jaswinder Kulwinder Surinder Balwinder Parminder Rajinder Simran \
    Amandeep Mandeep Sukhwinder Jasvir Baljit Navdeep Kiran Harjinder Rupinder Gurmeet Satinder Manpreet Ravinder Jasleen \
    Amrit Bhupinder Charanjit Daljit Gian Harleen Inderjit Kamaljit Lakhwinder Mohinder Nirmal Pritam Ranjit Tarsem";

/// Family names of the clans, which some registrations give where others give Singh or Kaur.
pub const SIKH_CLAN: &str = "Sandhu Gill Dhillon Sidhu Grewal Dhaliwal Sahota Johal Bains Uppal Mann Aujla Atwal Dosanjh \
    Bhogal Hayre Purewal Cheema Virk Randhawa Rai Basra Sangha Bassi Heer Nijjar Samra Kang Toor Chahal Sohal Matharu";

/// Given names of Hindu men.
pub const HINDU_MALE: &str = "Rajesh Sanjay Amit Anil Sunil Vijay Ashok Ramesh Suresh Kiran Dinesh Mahesh Rakesh Arun \
    Deepak Nilesh Hitesh Jayesh Kishore Mukesh Naresh Paresh Rohan Aarav Arjun Dev Krishna Mohan Nikhil Pravin Rahul \
    Sachin Tejas Uday Varun Vikram Yash Bharat Chetan Girish Harish Ishaan Jitendra Ketan Lalit Manoj Neel Om Piyush";

/// Given names of Hindu women.
pub const HINDU_FEMALE: &str = "Priya Anita Sunita Meena Nisha Pooja Kavita Rekha Bhavna Hansa Jyoti Neha Asha Usha \
    Geeta Lata Manisha Nita Pushpa Ranjan Sangita Urmila Varsha Anjali Bina Chandrika Daksha Falguni Hema Ila Jaya \
    Kalpana Leela Madhu Nayna Parul Radha Sarla Tara Vandana Diya Isha Kavya Mira Riya Shreya Trisha Aanya Savita Deepa";

/// Family names of Hindu people.
pub const HINDU_FAMILY: &str = "Patel Shah Sharma Kumar Mistry Gupta Desai Joshi Chauhan Mehta Parmar Solanki Tailor Rao \
    Reddy Verma Vyas Bhatt Thakkar Lad Pandya Trivedi Nair Iyer Pillai Menon Agarwal Bhatia Kapoor Malhotra Chopra Jain \
    Naik Rana Rathod Gohil Vaghela Darji Panchal Dave Amin Modi Parekh Soni Thakrar Popat Kotecha Raval Suthar Prajapati";

/// Syllables of which Chinese given names are made.
pub const CHINESE_SYLLABLES: &str = "Wei Min Jing Li Xiu Fang Hui Yan Ling Mei Xin Yi Jun Hao Yu Chen Ming Jie Lei Hong \
    Xiao Ying Na Ting Qing Bo Tao Kai Siu Wing Ka Kwok Chi Man Yuk Lai Kin Hoi Suet Ho Wai Chun Tsz Yin Lok Fai Shun Pui";

/// Western names that Chinese people go by.
pub const CHINESE_WESTERN: &str = "Kevin Amy Jason Grace David Vivian Peter Winnie Eric Karen Raymond Joyce Alan Cindy";

/// Chinese family names, mainland and Hong Kong spellings.
pub const CHINESE_FAMILY: &str = "Wang Li Zhang Chen Liu Chan Wong Lee Yang Cheung Huang Lau Zhao Wu Ng Lam Ho Leung Zhou \
    Xu Sun Zhu Ma Hu Lin Guo Tang Yeung Chow Tsang Kwok Cheng Mak Yip Poon Fung Siu Hui Luo Gao He Zheng Liang Xie Song";

/// Given names of Arab and Somali men.
pub const ARAB_MALE: &str = "Mohamed Ahmed Ali Hassan Omar Abdullah Khaled Mahmoud Ibrahim Youssef Abdi Abdirahman Ismail \
    Mustafa Said Karim Samir Nabil Farah Liban Hussein Osama Tarek Walid Ziad Bashir Faisal Hamza Jamal Mazen Rami Sami \
    Abdulrahman Guled Mahad Sharif Adel Anas Bilal Fadi Hani Majid Nasser Rashid Salim Yasin Yahya Zakariya";

/// Given names of Arab and Somali women.
pub const ARAB_FEMALE: &str = "Fatima Amina Maryam Hodan Sahra Layla Nour Halima Ifrah Hawa Zahra Rania Huda Salma Dina \
    Khadra Asha Aisha Noor Samira Yasmin Farah Hanan Iman Jamila Lina Mona Nadia Rana Sara Suad Ubah Warda Zeinab Deqa";

/// Arab and Somali family names.
pub const ARAB_FAMILY: &str = "Ali Mohamed Hassan Ahmed Hussein Abdi Omar Yusuf Warsame Farah Jama Al-Hassan El-Sayed \
    Al-Masri Haddad Mansour Saleh Nasser Abdulrahman Osman Elmi Nur Salih Aziz Ibrahim Ismail Abdullah Al-Khatib Hamdan \
    Khalil Najjar Qasim Shaheen Taha Al-Jabouri Al-Rashid El-Amin Darwish Barre Adan Duale Mohamud Hersi Guled Saeed";
